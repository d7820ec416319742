# SPDX-License-Identifier: Apache-2.0
"""`muster device call`, `get`, `signal` and `watch`: what a device does and tells now."""

from __future__ import annotations

import json
from pathlib import Path

import click

from muster.cli.output import json_option
from muster.cli.server import open_client, product_id, product_option, server_options

DAY_S = 24 * 3600


@click.command(epilog="Example: muster device call 0123456789abcdef01234567 set_point 21.5")
@click.argument("device_id")
@click.argument("function")
@click.argument("argument", default="")
@product_option
@server_options
@json_option
def call(
    device_id: str, function: str, argument: str, product: int | None, url: str, token_file: Path | None, as_json: bool
) -> None:
    """Call a function of a device and print what it returns."""
    with open_client(url, token_file) as client:
        facts = client.call_function(product_id(client, product), device_id, function, argument)
    click.echo(json.dumps(facts, indent=2) if as_json else facts.get("return_value"))


@click.command(epilog="Example: muster device get 0123456789abcdef01234567 air")
@click.argument("device_id")
@click.argument("variable")
@product_option
@server_options
@json_option
def get(device_id: str, variable: str, product: int | None, url: str, token_file: Path | None, as_json: bool) -> None:
    """Read a variable of a device and print it."""
    with open_client(url, token_file) as client:
        facts = client.read_variable(product_id(client, product), device_id, variable)
    value = facts.get("result")
    click.echo(json.dumps(facts, indent=2) if as_json else value if isinstance(value, str) else json.dumps(value))


@click.command(epilog="Example: muster device signal 0123456789abcdef01234567")
@click.argument("device_id")
@click.option("--off", is_flag=True, help="End it.")
@product_option
@server_options
@json_option
def signal(device_id: str, off: bool, product: int | None, url: str, token_file: Path | None, as_json: bool) -> None:
    """Have a device show people which one it is: its light flashes."""
    with open_client(url, token_file) as client:
        facts = client.signal_device(product_id(client, product), device_id, not off)
    click.echo(json.dumps(facts, indent=2) if as_json else "shows itself" if facts.get("signaling") else "ended")


@click.command(epilog="Example: muster device watch 0123456789abcdef01234567 --seconds 3600")
@click.argument("device_id")
@click.option(
    "--seconds", type=click.IntRange(0, 366 * DAY_S), default=600, show_default=True, help="For how long; 0 ends it."
)
@product_option
@server_options
@json_option
def watch(device_id: str, seconds: int, product: int | None, url: str, token_file: Path | None, as_json: bool) -> None:
    """Have a device hold the line. It then answers calls at once."""
    with open_client(url, token_file) as client:
        facts = client.watch_device(product_id(client, product), device_id, seconds)
    click.echo(json.dumps(facts, indent=2) if as_json else f"watched until {facts.get('watched_until') or '-'}")


COMMANDS = (call, get, signal, watch)
