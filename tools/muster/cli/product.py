# SPDX-License-Identifier: Apache-2.0
"""`muster product`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from muster.cli.output import json_option
from muster.cli.server import open_client, product_id, product_option, server_options
from muster.client import JsonObject
from muster.errors import ValueOutOfRange


@click.group(epilog="Example: muster product list")
def product() -> None:
    """List, show, make, change and remove products of a server."""


@product.command("list", epilog="Example: muster product list --json")
@server_options
@json_option
def list_products(url: str, token_file: Path | None, as_json: bool) -> None:
    """List the products of your organizations."""
    with open_client(url, token_file) as client:
        products = client.products()
    if as_json:
        click.echo(json.dumps({"products": products}, indent=2))
        return
    for item in products:
        click.echo(f"{item.get('id'):>5}  {item.get('org')}  {item.get('slug')}  {item.get('name')}")
    if not products:
        click.echo("no products yet: make one with `muster product create`")


@product.command(epilog="Example: muster product show --product 1234")
@product_option
@server_options
@json_option
def show(product: int | None, url: str, token_file: Path | None, as_json: bool) -> None:
    """Show a product and its settings."""
    with open_client(url, token_file) as client:
        _print(client.product(product_id(client, product)), as_json)


@product.command(epilog="Example: muster product create 1234 Thermostat")
@click.argument("number", type=click.IntRange(1, 65_534))
@click.argument("name")
@click.option("--org", help="The organization's slug. [default: the account's only one]")
@click.option("--slug", help="Its name in addresses. [default: made of the name]")
@click.option("--auto-approve", is_flag=True, help="Trust new devices without a look.")
@server_options
@json_option
def create(
    number: int,
    name: str,
    org: str | None,
    slug: str | None,
    auto_approve: bool,
    url: str,
    token_file: Path | None,
    as_json: bool,
) -> None:
    """Make a product; NUMBER is the id in its images."""
    fields = {key: value for key, value in (("org", org), ("slug", slug)) if value is not None}
    with open_client(url, token_file) as client:
        _print(client.create_product(number, name, auto_approve=auto_approve, **fields), as_json)


@product.command("set", epilog="Example: muster product set --claiming id")
@click.option("--name", help="What to call it.")
@click.option("--description", help="What it is.")
@click.option("--auto-approve/--no-auto-approve", default=None, help="Trust new devices without a look.")
@click.option("--claiming", type=click.Choice(("off", "code", "id")), help="How customers claim devices.")
@click.option(
    "--reprogrammers", type=click.Choice(("developers", "administrators")), help="Who decides what devices run."
)
@click.option("--time-zone", metavar="NAME", help="Of devices that have none of their own, such as Europe/Madrid.")
@click.option("--keep-logs", "keep_logs_days", type=int, metavar="DAYS", help="How long logs are kept.")
@click.option("--keep-events", "keep_events_days", type=int, metavar="DAYS", help="How long events are kept.")
@click.option("--check-in-interval", "check_in_interval_s", type=int, metavar="SECONDS", help="Between check-ins.")
@click.option("--quarantine-max", type=int, help="Most devices that wait for approval.")
@click.option("--patch-wait", type=int, metavar="CHECK-INS", help="How long a device waits for its patch; 0: not.")
@product_option
@server_options
@json_option
def set_product(product: int | None, url: str, token_file: Path | None, as_json: bool, **options: Any) -> None:
    """Change a product's settings."""
    changes = {key: value for key, value in options.items() if value is not None}
    if not changes:
        raise ValueOutOfRange("nothing to change: see muster product set --help")
    with open_client(url, token_file) as client:
        _print(client.change_product(product_id(client, product), **changes), as_json)


@product.command(epilog="Example: muster product remove --product 1234")
@click.option("--product", type=int, required=True, help="Product id.")
@server_options
def remove(product: int, url: str, token_file: Path | None) -> None:
    """Remove a product that has neither devices nor releases."""
    with open_client(url, token_file) as client:
        client.remove_product(product)
    click.echo(f"product {product} is removed")


def _print(facts: JsonObject, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(facts, indent=2))
        return
    for name, value in facts.items():
        if not isinstance(value, dict):
            click.echo(f"{name.replace('_', ' '):<22} {'-' if value is None else value}")
