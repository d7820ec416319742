# SPDX-License-Identifier: Apache-2.0
"""`muster device factory-hex`: what boards are made with."""

from __future__ import annotations

from pathlib import Path

import click

from muster.cli.files import InputFile, OutputFile, hex_of, open_keystore, read_bytes, write_bytes
from muster.cli.output import json_option, print_facts
from muster.device.hexfile import factory_hex
from muster.image.image import Image
from muster.layout import platform_name
from muster.signing.keyset import KeySet

_EXAMPLE = "Example: muster device factory-hex build/thermostat/photon signed.bin --keyset keyset.cbor -o factory.hex"


@click.command("factory-hex", epilog=_EXAMPLE)
@click.argument("build_dir", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.argument("image", type=InputFile)
@click.option("--keyset", type=InputFile, help="The first key set. [default: the development key set]")
@click.option("-o", "--output", type=OutputFile, required=True, help="Where to write the HEX file.")
@json_option
def make_hex(build_dir: Path, image: Path, keyset: Path | None, output: Path, as_json: bool) -> None:
    """Make the HEX file that production boards are programmed with.

    It holds the bootloader of BUILD_DIR, the key set, the signed IMAGE, and who the device is but for its id and key:
    those a board writes itself when it is first started.
    """
    first = KeySet.from_bytes(read_bytes(keyset)) if keyset is not None else open_keystore().keyset()
    signed = Image.from_bytes(read_bytes(image))
    development = read_bytes(hex_of(build_dir)).decode("ascii", "replace")
    write_bytes(output, factory_hex(development, signed, first).encode("ascii"))
    print_facts(
        {
            "file": str(output),
            "product_id": signed.manifest.product_id,
            "platform": platform_name(signed.manifest.platform_id),
            "version": signed.manifest.product_version,
            "identity": signed.identity.hex(),
            "keyset_version": first.content.version,
            "roots": [key.key_id.hex() for key in first.content.roots.keys],
            "root_threshold": first.content.roots.threshold,
        },
        as_json,
    )


COMMANDS = (make_hex,)
