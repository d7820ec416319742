# SPDX-License-Identifier: Apache-2.0
"""`muster device`."""

from __future__ import annotations

import json
from pathlib import Path

import click

from muster.cli import device_factory, device_live, device_provision, device_records
from muster.cli.output import fact_lines, json_option
from muster.cli.server import open_client, product_id, product_option, server_options
from muster.client import JsonObject
from muster.errors import ValueOutOfRange
from muster.inspection import JsonValue

_SHOWN = (
    "id",
    "name",
    "notes",
    "groups",
    "tags",
    "country",
    "owner",
    "serial_number",
    "time_zone",
    "status",
    "quarantine_reason",
    "fingerprint",
    "platform",
    "online",
    "last_heard",
    "firmware_version",
    "identity",
    "slot",
    "boot_state",
    "boots",
    "development",
    "desired_firmware_version",
    "explanation",
)


@click.group(epilog="Example: muster device list")
def device() -> None:
    """List, show, explain, provision, import, approve, change, flash, remove, call and read devices; own some."""


@device.command("list", epilog="Example: muster device list --json")
@click.option("--name", help="Only those with this in their name.")
@click.option("--group", "group_names", multiple=True, help="Only those in this group; may be given again.")
@click.option("--tag", help="Only those with this tag.")
@click.option("--country", help="Only those in this country, such as DE.")
@click.option("--status", type=click.Choice(("expected", "quarantined", "active", "denied")), help="Only these.")
@click.option("--version", type=click.IntRange(0, 65_535), help="Only those that run this version.")
@product_option
@server_options
@json_option
def list_devices(
    name: str | None,
    group_names: tuple[str, ...],
    tag: str | None,
    country: str | None,
    status: str | None,
    version: int | None,
    product: int | None,
    url: str,
    token_file: Path | None,
    as_json: bool,
) -> None:
    """List a product's devices, or some of them."""
    wanted = {
        "deviceName": name,
        "groups": ",".join(group_names),
        "tag": tag,
        "country": country,
        "status": status,
        "version": version,
    }
    filters = {key: str(value) for key, value in wanted.items() if value not in (None, "")}
    with open_client(url, token_file) as client:
        devices = client.devices(product_id(client, product), filters)
    if as_json:
        click.echo(json.dumps({"devices": devices}, indent=2))
        return
    for item in devices:
        online = "online" if item.get("online") else "offline"
        running = item.get("firmware_version")
        click.echo(
            f"{item.get('id')}  {item.get('platform') or '-':<10} {online:<8} {item.get('status'):<12} "
            f"{'-' if running is None else running:>6}  {item.get('name')}".rstrip()
        )
    if not devices and filters:
        click.echo("no such devices")
    elif not devices:
        click.echo("no devices yet: one that reports in appears here")


@device.command(epilog="Example: muster device show 0123456789abcdef01234567")
@click.argument("device_id")
@product_option
@server_options
@json_option
def show(device_id: str, product: int | None, url: str, token_file: Path | None, as_json: bool) -> None:
    """Show a device and its history. Also why it runs what it runs."""
    with open_client(url, token_file) as client:
        facts = client.device(product_id(client, product), device_id)
    if as_json:
        click.echo(json.dumps(facts, indent=2))
        return
    _print(facts)
    history = facts.get("history")
    for line in history[:20] if isinstance(history, list) else []:
        click.echo(f"  {line['at']}  {line['text']}")


@device.command(epilog="Example: muster device explain 0123456789abcdef01234567")
@click.argument("device_id")
@product_option
@server_options
@json_option
def explain(device_id: str, product: int | None, url: str, token_file: Path | None, as_json: bool) -> None:
    """Say why a device is offered what it is.

    Every rule is shown, in the order in which they are asked: what it gives or would give, why, and what would have
    to change. The first one that is about the device decides (>).
    """
    with open_client(url, token_file) as client:
        facts = client.explain(product_id(client, product), device_id)
    if as_json:
        click.echo(json.dumps(facts, indent=2))
        return
    click.echo(str(facts["explanation"]))
    trace = facts["trace"]
    assert isinstance(trace, list)
    for ruling in trace:
        mark = ">" if ruling["wins"] else "-" if ruling["applies"] else " "
        name = f"rollout {ruling['rollout']}" if ruling["rollout"] is not None else ruling["rule"].replace("_", " ")
        gives = "nothing" if ruling["version"] is None else f"version {ruling['version']}"
        click.echo(f"{mark} {name:<16} {gives:<13} {ruling['why']}")
        if ruling["remedy"]:
            click.echo(f"{'':<33}{ruling['remedy']}")


@device.command(epilog="Example: muster device approve 0123456789abcdef01234567 --fingerprint 6a0b1c2d3e4f5061")
@click.argument("device_id")
@click.option("--fingerprint", help="Which key, by at least 16 digits; needed when several keys claim the id.")
@product_option
@server_options
@json_option
def approve(
    device_id: str, fingerprint: str | None, product: int | None, url: str, token_file: Path | None, as_json: bool
) -> None:
    """Trust a quarantined device's key."""
    with open_client(url, token_file) as client:
        facts = client.approve(product_id(client, product), device_id, fingerprint)
    _print_or_json(facts, as_json)


@device.command("set", epilog="Example: muster device set 0123456789abcdef01234567 --lock 2")
@click.argument("device_id")
@click.option("--lock", type=click.IntRange(1, 65_534), help="Lock it to a version.")
@click.option("--unlock", is_flag=True, help="Unlock it.")
@click.option("--development/--no-development", default=None, help="A development device gets nothing automatically.")
@click.option("--name", help="What to call it.")
@click.option("--notes", help="What to know about it.")
@click.option("--serial-number", help="Its serial number.")
@click.option("--time-zone", metavar="NAME", help="Whose clock it goes by, such as Europe/Madrid.")
@click.option("--group", "group_names", multiple=True, help="Its groups, and no others; may be given again.")
@click.option("--no-groups", is_flag=True, help="Take it out of all groups.")
@click.option("--tag", "tags", multiple=True, help="Its tags, and no others; may be given again.")
@click.option("--no-tags", is_flag=True, help="Take all tags away.")
@click.option("--country", help="The code of the country where it is, such as DE.")
@product_option
@server_options
@json_option
def set_device(
    device_id: str,
    lock: int | None,
    unlock: bool,
    development: bool | None,
    name: str | None,
    notes: str | None,
    serial_number: str | None,
    time_zone: str | None,
    group_names: tuple[str, ...],
    no_groups: bool,
    tags: tuple[str, ...],
    no_tags: bool,
    country: str | None,
    product: int | None,
    url: str,
    token_file: Path | None,
    as_json: bool,
) -> None:
    """Change what the server knows of a device."""
    changes: JsonObject = {}
    if lock is not None or unlock:
        changes["desired_firmware_version"] = lock
    if development is not None:
        changes["development"] = development
    if name is not None:
        changes["name"] = name
    if notes is not None:
        changes["notes"] = notes
    if serial_number is not None:
        changes["serial_number"] = serial_number
    if time_zone is not None:
        changes["time_zone"] = time_zone
    if group_names or no_groups:
        changes["groups"] = list(group_names)
    if tags or no_tags:
        changes["tags"] = list(tags)
    if country is not None:
        changes["country"] = country
    if not changes:
        raise ValueOutOfRange("nothing to change: give --lock, --name, --group, --tag, ...; see --help")
    with open_client(url, token_file) as client:
        facts = client.change_device(product_id(client, product), device_id, **changes)
    _print_or_json(facts, as_json)


for command in (*device_records.COMMANDS, *device_live.COMMANDS, *device_factory.COMMANDS, *device_provision.COMMANDS):
    device.add_command(command)


def _print_or_json(facts: JsonObject, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(facts, indent=2))
    else:
        _print(facts)


def _print(facts: JsonObject) -> None:
    shown: dict[str, JsonValue] = {}
    for name in _SHOWN:
        value = facts.get(name)
        if isinstance(value, (str, int)) or (value is None and name in facts):
            shown[name] = value
        elif isinstance(value, list):
            shown[name] = [str(item) for item in value]
    for line in fact_lines(shown):
        click.echo(line)
