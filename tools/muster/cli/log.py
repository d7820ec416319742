# SPDX-License-Identifier: Apache-2.0
"""`muster log`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from muster.cli.files import OutputFile
from muster.cli.options import TIME_FILTERS, together
from muster.cli.output import json_option
from muster.cli.server import open_client, product_id, product_option, server_options

_filter_options = together(
    click.option("--kind", type=click.Choice(["history", "event", "log"]), default=None, help="Only such entries."),
    click.option(
        "--level", type=click.Choice(["debug", "info", "warning", "error"]), default=None, help="The lowest level."
    ),
    click.option("--device", default="", metavar="ID", help="Only of this device."),
    click.option("--version", type=click.IntRange(0, 65_535), default=None, help="Only of devices that run it now."),
    click.option("--cohort", default="", metavar="NAME", help="Only of devices that this saved cohort holds now."),
    click.option("--name", default="", metavar="BEGIN", help="Only of names that begin so."),
    click.option("--text", default="", help="Only with this in them."),
    *TIME_FILTERS,
)


@click.group(epilog="Example: muster log show --level error --since 2026-11-23T00:00:00Z")
def log() -> None:
    """Show and export what a product's devices told and what happened to them."""


@log.command(epilog="Example: muster log show --level warning --text sensor")
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True, help="Most entries.")
@_filter_options
@product_option
@server_options
@json_option
def show(limit: int, product: int | None, url: str, token_file: Path | None, as_json: bool, **filters: Any) -> None:
    """Show the newest entries, the newest last."""
    with open_client(url, token_file) as client:
        answer = client.log(product_id(client, product), limit, _texts(filters))
    if as_json:
        click.echo(json.dumps(answer, indent=2))
        return
    entries = answer["log"]
    assert isinstance(entries, list)
    for entry in reversed(entries):
        assert isinstance(entry, dict)
        click.echo("  ".join(str(entry[key] or "-") for key in ("at", "device", "level", "name", "text")))
    if answer["is_cut"]:
        click.echo("older entries were not looked through: give --until, or a smaller span of time", err=True)


@log.command(epilog="Example: muster log export --since 2026-11-01T00:00:00Z --output november.csv")
@click.option("-o", "--output", type=OutputFile, required=True, help="Where to write the CSV file.")
@_filter_options
@product_option
@server_options
def export(output: Path, product: int | None, url: str, token_file: Path | None, **filters: Any) -> None:
    """Write every entry as CSV, newest first."""
    with open_client(url, token_file) as client, output.open("wb") as file:
        for piece in client.log_csv(product_id(client, product), _texts(filters)):
            file.write(piece)
    click.echo(f"wrote {output}")


def _texts(filters: dict[str, Any]) -> dict[str, str]:
    return {name: str(value) for name, value in filters.items() if value not in (None, "")}
