# SPDX-License-Identifier: Apache-2.0
"""`muster event`."""

from __future__ import annotations

import json
from itertools import islice
from pathlib import Path

import click

from muster.cli.output import json_option
from muster.cli.server import open_client, product_id, product_option, server_options


@click.group(epilog="Example: muster event subscribe temperature")
def event() -> None:
    """Publish events of a product, and listen to them."""


@event.command(epilog="Example: muster event publish lamp on")
@click.argument("name")
@click.argument("data", default="")
@product_option
@server_options
def publish(name: str, data: str, product: int | None, url: str, token_file: Path | None) -> None:
    """Publish the event NAME with DATA."""
    with open_client(url, token_file) as client:
        client.publish_event(product_id(client, product), name, data)
    click.echo(f"published {name}")


@event.command(epilog="Example: muster event subscribe spark/status --max 1 --json")
@click.argument("prefix", default="")
@click.option("--device", "device_id", help="Only events of this device.")
@click.option("--max", "most", type=click.IntRange(1), help="End after so many events. [default: at Ctrl-C]")
@product_option
@server_options
@json_option
def subscribe(
    prefix: str,
    device_id: str | None,
    most: int | None,
    product: int | None,
    url: str,
    token_file: Path | None,
    as_json: bool,
) -> None:
    """Print events whose names begin with PREFIX as they are published; with --json one object per line."""
    with open_client(url, token_file) as client:
        for one in islice(client.events(product_id(client, product), prefix, device_id), most):
            words = (one.get("published_at"), one.get("coreid"), one.get("event"), one.get("data"))
            click.echo(json.dumps(one) if as_json else "  ".join(str(word) for word in words))
