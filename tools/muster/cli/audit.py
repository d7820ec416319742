# SPDX-License-Identifier: Apache-2.0
"""`muster audit`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from muster.cli.files import OutputFile
from muster.cli.options import TIME_FILTERS, together
from muster.cli.output import json_option
from muster.cli.server import open_client, organization_option, organization_slug, server_options

_filter_options = together(
    click.option("--by", default="", metavar="EMAIL", help="Only what this account did."),
    click.option("--action", default="", metavar="BEGIN", help="Only actions that begin so, such as `rollout.`"),
    click.option("--subject", default="", help="Only what was done to this."),
    *TIME_FILTERS,
)


@click.group(epilog="Example: muster audit list --action rollout.")
def audit() -> None:
    """Show and export who did what in an organization of a server."""


@audit.command("list", epilog="Example: muster audit list --limit 20")
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True, help="Most lines.")
@_filter_options
@organization_option
@server_options
@json_option
def list_lines(limit: int, org: str | None, url: str, token_file: Path | None, as_json: bool, **filters: Any) -> None:
    """Show who did what, from where, newest first."""
    with open_client(url, token_file) as client:
        lines = client.audit(organization_slug(client, org), limit, filters)
    if as_json:
        click.echo(json.dumps({"audit": lines}, indent=2))
        return
    for line in lines:
        words = ("at", "by", "from", "action", "subject", "detail")
        click.echo("  ".join(str(line.get(word) or "-") for word in words))


@audit.command(epilog="Example: muster audit export --since 2026-11-01 --output november.csv")
@click.option("-o", "--output", type=OutputFile, required=True, help="Where to write the CSV file.")
@_filter_options
@organization_option
@server_options
def export(output: Path, org: str | None, url: str, token_file: Path | None, **filters: Any) -> None:
    """Write every line as CSV, to be kept elsewhere."""
    with open_client(url, token_file) as client, output.open("wb") as file:
        for piece in client.audit_csv(organization_slug(client, org), filters):
            file.write(piece)
    click.echo(f"wrote {output}")
