# SPDX-License-Identifier: Apache-2.0
"""`muster customer`."""

from __future__ import annotations

import json
import sys
from collections import Counter
from pathlib import Path

import click

from muster.cli.output import json_option
from muster.cli.server import open_client, product_id, product_option, server_options
from muster.client import JsonObject


@click.group(epilog="Example: muster customer list")
def customer() -> None:
    """List, show, make and remove customers of a product."""


@customer.command("list", epilog="Example: muster customer list --page 2 --json")
@click.option("--page", type=click.IntRange(1), default=1, show_default=True, help="100 customers each.")
@click.option("--search", metavar="TEXT", default="", help="Only those with this in their address.")
@product_option
@server_options
@json_option
def list_customers(
    page: int, search: str, product: int | None, url: str, token_file: Path | None, as_json: bool
) -> None:
    """List customers by address, how many devices they have, and when they were last active."""
    with open_client(url, token_file) as client:
        found = client.customers(product_id(client, product), page, search)
    if as_json:
        click.echo(json.dumps(found, indent=2))
        return
    customers = found.get("customers")
    owned = Counter(str(item.get("owner")) for item in _devices(found))
    for item in customers if isinstance(customers, list) else []:
        email = str(item.get("username"))
        click.echo(f"{email:<40} {owned[email]:>5} devices, last active {item.get('last_active') or 'never'}")


@customer.command(epilog="Example: muster customer show cara@example.com")
@click.argument("email")
@product_option
@server_options
@json_option
def show(email: str, product: int | None, url: str, token_file: Path | None, as_json: bool) -> None:
    """Show a customer: how they sign in, when they were last active, and their devices."""
    with open_client(url, token_file) as client:
        found = client.customer(product_id(client, product), email)
    if as_json:
        click.echo(json.dumps(found, indent=2))
        return
    shown = found.get("customer")
    facts = shown if isinstance(shown, dict) else {}
    ways = {"has_password": "a password", "has_account": "an account here"}
    signs_in = " or ".join(way for name, way in ways.items() if facts.get(name)) or "your server"
    click.echo(f"{facts.get('username')} signs in with {signs_in}; last active {facts.get('last_active') or 'never'}")
    for item in _devices(found):
        state = "online" if item.get("online") else f"last heard {item.get('last_heard') or 'never'}"
        click.echo(f"{item.get('id')}  {item.get('name') or '-'}  {state}")


def _devices(found: JsonObject) -> list[JsonObject]:
    devices = found.get("devices")
    return [item for item in devices if isinstance(item, dict)] if isinstance(devices, list) else []


@customer.command(epilog="Example: muster customer create cara@example.com")
@click.argument("email")
@click.option("--password-stdin", is_flag=True, help="Read a password from standard input. [default: none]")
@product_option
@server_options
@json_option
def create(
    email: str, password_stdin: bool, product: int | None, url: str, token_file: Path | None, as_json: bool
) -> None:
    """Make a customer, who can own devices, and with a password sign in with the product's apps."""
    password = sys.stdin.readline().rstrip("\r\n") if password_stdin else None
    with open_client(url, token_file) as client:
        made = client.create_customer(product_id(client, product), email, password)
    click.echo(json.dumps(made, indent=2) if as_json else f"customer {made.get('username')} is made")


@customer.command(epilog="Example: muster customer remove cara@example.com")
@click.argument("email")
@product_option
@server_options
def remove(email: str, product: int | None, url: str, token_file: Path | None) -> None:
    """Forget a customer; their devices have no owner any more."""
    with open_client(url, token_file) as client:
        client.remove_customer(product_id(client, product), email)
    click.echo(f"customer {email} is removed")
