# SPDX-License-Identifier: Apache-2.0
"""`muster token`."""

from __future__ import annotations

import json
from pathlib import Path

import click

from muster.cli.output import json_option
from muster.cli.server import open_client, server_options

_DAY_S = 24 * 3600


@click.group(epilog="Example: muster token create ci --days 365")
def token() -> None:
    """List, make and revoke access tokens of your account."""


@token.command("list", epilog="Example: muster token list")
@server_options
@json_option
def list_tokens(url: str, token_file: Path | None, as_json: bool) -> None:
    """List tokens by name and first characters: nobody can tell the rest."""
    with open_client(url, token_file) as client:
        found = client.tokens()
    if as_json:
        click.echo(json.dumps({"tokens": found}, indent=2))
        return
    for item in found:
        expires = item.get("expires_at") or "never"
        click.echo(f"{item.get('id')!s:>6}  {item.get('token')!s:<10} {item.get('label')!s:<24} expires {expires}")


@token.command(epilog="Example: muster token create ci --days 365 --scope firmware:update")
@click.argument("label")
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    metavar="SCOPE",
    help="Good for this only, such as devices:list; may be given several times. [default: all that you may do]",
)
@click.option("--days", type=click.IntRange(1, 3650), help="How long it lasts. [default: until it is revoked]")
@server_options
@json_option
def create(
    label: str, scopes: tuple[str, ...], days: int | None, url: str, token_file: Path | None, as_json: bool
) -> None:
    """Make a token and print it; it is shown only now."""
    with open_client(url, token_file) as client:
        made = client.create_token(label, None if days is None else days * _DAY_S, scopes)
    click.echo(json.dumps({"token": made}, indent=2) if as_json else made)


@token.command(epilog="Example: muster token revoke 3")
@click.argument("number", type=click.IntRange(1))
@server_options
def revoke(number: int, url: str, token_file: Path | None) -> None:
    """End the token with this number in the list."""
    with open_client(url, token_file) as client:
        client.revoke_token(number)
    click.echo(f"token {number} is revoked")
