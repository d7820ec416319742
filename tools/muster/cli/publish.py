# SPDX-License-Identifier: Apache-2.0
"""`muster publish`."""

from __future__ import annotations

from pathlib import Path

import click

from muster.cli.files import InputFile, read_bytes
from muster.cli.output import json_option, print_facts
from muster.cli.server import open_client, server_options
from muster.client import ServerRefused
from muster.image.image import Image
from muster.layout import platform_name

_EXAMPLE = "Example: muster publish build/thermostat/photon/thermostat.bin --elf build/thermostat/photon/thermostat.elf"


@click.command(epilog=_EXAMPLE)
@click.argument("image", type=InputFile)
@click.option("--elf", type=InputFile, help="The ELF file that the image was made from.")
@click.option("--title", default="", help="What the release is about.")
@click.option("--create-product", metavar="NAME", help="Make the product first, unless the server has it.")
@server_options
@json_option
def publish(
    image: Path,
    elf: Path | None,
    title: str,
    create_product: str | None,
    url: str,
    token_file: Path | None,
    as_json: bool,
) -> None:
    """Upload an image to a server."""
    raw = read_bytes(image)
    manifest = Image.from_bytes(raw).manifest
    with open_client(url, token_file) as client:
        if create_product is not None:
            try:
                client.create_product(manifest.product_id, create_product)
            except ServerRefused as error:
                if error.code != "conflict":
                    raise
        elf_raw = None if elf is None else read_bytes(elf)
        release = client.publish(raw, manifest.product_id, elf_raw, title)
    print_facts(
        {
            "product": manifest.product_id,
            "version": manifest.product_version,
            "platform": platform_name(manifest.platform_id),
            "identity": manifest.identity.hex(),
            "bytes": len(raw),
            "title": str(release.get("title", "")),
        },
        as_json,
    )
