# SPDX-License-Identifier: Apache-2.0
"""`muster verify`."""

from __future__ import annotations

from pathlib import Path

import click

from muster.cli.files import InputFile, open_keystore, read_bytes
from muster.cli.output import json_option, print_facts
from muster.errors import ValueOutOfRange
from muster.image.image import Image
from muster.inspection import image_facts
from muster.layout import PLATFORM_IDS, Lifecycle
from muster.signing.keyset import KeySet
from muster.signing.verify import DeviceFacts, check_full

_U16 = click.IntRange(0, 0xFFFF)
_U32 = click.IntRange(0, 0xFFFF_FFFF)


@click.command(epilog="Example: muster verify firmware.bin --keyset keyset.cbor --product 1234 --platform photon")
@click.argument("image", type=InputFile)
@click.option("--keyset", type=InputFile, help="The key set to believe. [default: the development key set]")
@click.option(
    "--lifecycle",
    type=click.Choice([lifecycle.name.lower() for lifecycle in Lifecycle]),
    help="Of the device. [default: production with --keyset, else development]",
)
@click.option("--product", type=_U16, help="The device's product id.")
@click.option("--platform", help="The device's platform: a name or an id.")
@click.option("--hardware", type=_U16, help="The device's hardware revision.")
@click.option("--bootloader", type=_U16, help="The device's bootloader version.")
@click.option("--counter", type=_U32, help="The lowest security counter that the device accepts.")
@json_option
def verify(
    image: Path,
    keyset: Path | None,
    lifecycle: str | None,
    product: int | None,
    platform: str | None,
    hardware: int | None,
    bootloader: int | None,
    counter: int | None,
    as_json: bool,
) -> None:
    """Check an image as a device does.

    What is not given is not checked. The first rule that refuses the image is the error.
    """
    checked = Image.from_bytes(read_bytes(image))
    believed = KeySet.from_bytes(read_bytes(keyset)) if keyset is not None else open_keystore().keyset()
    fallback = Lifecycle.PRODUCTION if keyset is not None else Lifecycle.DEVELOPMENT
    device = DeviceFacts(
        product_id=product,
        platform_id=_platform_id(platform) if platform is not None else None,
        hardware_revision=hardware,
        bootloader_version=bootloader,
        security_counter=counter,
    )
    signers = check_full(
        checked, device, believed.content, Lifecycle[lifecycle.upper()] if lifecycle is not None else fallback
    )
    print_facts(
        {
            "file": str(image),
            "valid": True,
            "keyset_version": believed.content.version,
            "release_signatures": [key_id.hex() for key_id in signers.release],
            "development_signatures": [key_id.hex() for key_id in signers.development],
            "unknown_signatures": [key_id.hex() for key_id in signers.unknown],
            **image_facts(checked),
        },
        as_json,
    )


def _platform_id(text: str) -> int:
    if text.isdecimal():
        return int(text)
    ids = {name.value: number for name, number in PLATFORM_IDS.items()}
    if text not in ids:
        raise ValueOutOfRange(f"no platform {text} (known: {', '.join(ids)})")
    return ids[text]
