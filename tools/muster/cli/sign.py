# SPDX-License-Identifier: Apache-2.0
"""`muster sign`."""

from __future__ import annotations

from pathlib import Path

import click

from muster.cli.files import InputFile, OutputFile, open_keystore, read_bytes, write_bytes
from muster.cli.output import json_option, print_facts
from muster.image.image import Image
from muster.inspection import image_facts
from muster.keystore import DEVELOPMENT
from muster.signing.signer import Signer, sign_image, signer_from_uri


@click.command(epilog="Example: muster sign firmware.bin --key file:release-1.pem -o signed.bin")
@click.argument("image", type=InputFile)
@click.option(
    "--key", "uris", multiple=True, metavar="URI", help="A signing key; may be repeated. [default: development]"
)
@click.option("-o", "--output", type=OutputFile, help="Where to write the signed image. [default: IMAGE itself]")
@json_option
def sign(image: Path, uris: tuple[str, ...], output: Path | None, as_json: bool) -> None:
    """Add signatures to an image.

    A signature by a key that has signed before is replaced. An image holds at most four.
    """
    unsigned = Image.from_bytes(read_bytes(image))
    signers: list[Signer] = [signer_from_uri(uri) for uri in uris] or [open_keystore().signer(DEVELOPMENT)]
    signed = sign_image(unsigned, *signers)
    path = output if output is not None else image
    write_bytes(path, signed.raw)
    print_facts({"file": str(path), **image_facts(signed)}, as_json)
