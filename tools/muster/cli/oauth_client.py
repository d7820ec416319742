# SPDX-License-Identifier: Apache-2.0
"""`muster client`."""

from __future__ import annotations

import json
from pathlib import Path

import click

from muster.cli.output import json_option
from muster.cli.server import open_client, product_id, product_option, server_options
from muster.client import JsonObject, ServerClient

_own = click.option("--own", is_flag=True, help="The account's own in place of a product's.")
_redirect_uri = click.option("--redirect-uri", metavar="URI", help="The one place browsers are sent back to.")
_name = click.argument("client_id", metavar="CLIENT")


@click.group("client", epilog="Example: muster client create App --create-customer")
def oauth_client() -> None:
    """List, make, change and remove OAuth clients: programs that ask for tokens themselves."""


@oauth_client.command("list", epilog="Example: muster client list --own")
@_own
@product_option
@server_options
@json_option
def list_clients(own: bool, product: int | None, url: str, token_file: Path | None, as_json: bool) -> None:
    """List the OAuth clients of a product, or the account's own."""
    with open_client(url, token_file) as client:
        found = client.oauth_clients(_owner(client, own, product))
    if as_json:
        click.echo(json.dumps({"clients": found}, indent=2))
        return
    for item in found:
        click.echo(_line(item))


@oauth_client.command(epilog="Example: muster client create Site --type web --redirect-uri https://example.com/done")
@click.argument("name")
@click.option("--type", "kind", type=click.Choice(["installed", "web"]), default="installed", show_default=True)
@_redirect_uri
@click.option("--create-customer", is_flag=True, help="It may make customers, and not act as you: for apps.")
@_own
@product_option
@server_options
@json_option
def create(
    name: str,
    kind: str,
    redirect_uri: str | None,
    create_customer: bool,
    own: bool,
    product: int | None,
    url: str,
    token_file: Path | None,
    as_json: bool,
) -> None:
    """Make an OAuth client and print its secret, this once."""
    fields = {"name": name, "type": kind, "redirect_uri": redirect_uri}
    if create_customer:
        fields["scope"] = "create_customer"
    with open_client(url, token_file) as client:
        made = client.create_oauth_client(_owner(client, own, product), fields)
    click.echo(json.dumps(made, indent=2) if as_json else f"client {made.get('id')}, secret {made.get('secret')}")


@oauth_client.command(epilog="Example: muster client update app-1a2b3c4d --name Application")
@_name
@click.option("--name", help="What people read.")
@_redirect_uri
@_own
@product_option
@server_options
@json_option
def update(
    client_id: str,
    name: str | None,
    redirect_uri: str | None,
    own: bool,
    product: int | None,
    url: str,
    token_file: Path | None,
    as_json: bool,
) -> None:
    """Give an OAuth client another name or redirect URI."""
    given = {"name": name, "redirect_uri": redirect_uri}
    fields = {key: value for key, value in given.items() if value is not None}
    with open_client(url, token_file) as client:
        changed = client.change_oauth_client(_owner(client, own, product), client_id, fields)
    click.echo(json.dumps(changed, indent=2) if as_json else _line(changed))


@oauth_client.command(epilog="Example: muster client remove app-1a2b3c4d")
@_name
@_own
@product_option
@server_options
def remove(client_id: str, own: bool, product: int | None, url: str, token_file: Path | None) -> None:
    """Remove an OAuth client; all tokens that it was granted end."""
    with open_client(url, token_file) as client:
        client.remove_oauth_client(_owner(client, own, product), client_id)
    click.echo(f"client {client_id} is removed")


def _owner(client: ServerClient, own: bool, product: int | None) -> str:
    return "" if own else f"products/{product_id(client, product)}"


def _line(item: JsonObject) -> str:
    place = item.get("redirect_uri") or "-"
    return f"{item.get('id')!s:<32} {item.get('type')!s:<10} {item.get('scope')!s:<16} {item.get('name')}  {place}"
