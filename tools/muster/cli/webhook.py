# SPDX-License-Identifier: Apache-2.0
"""`muster webhook`."""

from __future__ import annotations

import json
from pathlib import Path

import click

from muster.cli.files import InputFile, read_json
from muster.cli.output import json_option
from muster.cli.server import open_client, product_id, product_option, server_options
from muster.client import ServerClient
from muster.errors import ValueOutOfRange

_org = click.option("--org", help="Those of this organization (its slug) in place of a product's.")


@click.group(epilog="Example: muster webhook create temperature https://example.com/in")
def webhook() -> None:
    """List, make and remove webhooks, and show what was delivered."""


@webhook.command("list", epilog="Example: muster webhook list --org warm-rooms")
@_org
@product_option
@server_options
@json_option
def list_webhooks(org: str | None, product: int | None, url: str, token_file: Path | None, as_json: bool) -> None:
    """List the webhooks of a product or organization."""
    with open_client(url, token_file) as client:
        found = client.webhooks(_owner(client, org, product))
    if as_json:
        click.echo(json.dumps({"webhooks": found}, indent=2))
        return
    for item in found:
        state = "disabled" if item.get("disabled") else "enabled"
        click.echo(
            f"{item.get('id')!s:>6}  {state:<8}  {item.get('event')!s:<24} {item.get('requestType')} {item.get('url')}"
        )


@webhook.command(epilog="Example: muster webhook create temperature https://example.com/in --file more.json")
@click.argument("event")
@click.argument("address", metavar="URL")
@click.option(
    "--file",
    type=InputFile,
    help="JSON object with more fields: requestType, headers, json, ... (docs/howto/events.md).",
)
@_org
@product_option
@server_options
@json_option
def create(
    event: str,
    address: str,
    file: Path | None,
    org: str | None,
    product: int | None,
    url: str,
    token_file: Path | None,
    as_json: bool,
) -> None:
    """Send events whose names begin with EVENT to URL. Prints the secret that requests are signed with, this once."""
    fields = {**({} if file is None else read_json(file)), "event": event, "url": address}
    with open_client(url, token_file) as client:
        made = client.create_webhook(_owner(client, org, product), fields)
    click.echo(json.dumps(made, indent=2) if as_json else f"webhook {made.get('id')}, secret {made.get('secret')}")


@webhook.command(epilog="Example: muster webhook log 3")
@click.argument("number")
@_org
@product_option
@server_options
@json_option
def log(number: str, org: str | None, product: int | None, url: str, token_file: Path | None, as_json: bool) -> None:
    """Show the last deliveries of a webhook, newest first."""
    with open_client(url, token_file) as client:
        facts = client.webhook(_owner(client, org, product), number)
    if as_json:
        click.echo(json.dumps(facts, indent=2))
        return
    if facts.get("disabled"):
        click.echo(f"disabled: {facts.get('disabled_reason')}")
    found = facts.get("deliveries")
    for item in found if isinstance(found, list) else []:
        words = (item["published_at"], item["event"], item["status"], f"tries {item['tries']}", item["http_status"])
        click.echo("  ".join(str("-" if word is None else word) for word in (*words, item["error"])).rstrip())


@webhook.command(epilog="Example: muster webhook enable 3")
@click.argument("number")
@_org
@product_option
@server_options
def enable(number: str, org: str | None, product: int | None, url: str, token_file: Path | None) -> None:
    """Switch a webhook on again that failed too often."""
    with open_client(url, token_file) as client:
        client.enable_webhook(_owner(client, org, product), number)
    click.echo(f"webhook {number} is enabled")


@webhook.command(epilog="Example: muster webhook delete 3")
@click.argument("number")
@_org
@product_option
@server_options
def delete(number: str, org: str | None, product: int | None, url: str, token_file: Path | None) -> None:
    """Remove a webhook, and what waits for it."""
    with open_client(url, token_file) as client:
        client.delete_webhook(_owner(client, org, product), number)
    click.echo(f"webhook {number} is removed")


def _owner(client: ServerClient, org: str | None, product: int | None) -> str:
    if org is not None and product is not None:
        raise ValueOutOfRange("give --org or --product, not both")
    return f"orgs/{org}" if org is not None else f"products/{product_id(client, product)}"
