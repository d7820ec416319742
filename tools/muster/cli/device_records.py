# SPDX-License-Identifier: Apache-2.0
"""`muster device import`, `export`, `claim`, `give-up`, `remove` and `flash`: which devices there are, and whose."""

from __future__ import annotations

import json
from pathlib import Path

import click

from muster.cli.files import OutputFile
from muster.cli.output import json_option, print_facts
from muster.cli.server import open_client, product_id, product_option, server_options
from muster.client import JsonObject, ServerRefused
from muster.errors import FileFault
from muster.serial import Link, PortTransport

_INPUT = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command("import", epilog="Example: muster device import devices.csv")
@click.argument("file", type=_INPUT)
@product_option
@server_options
@json_option
def import_devices(file: Path, product: int | None, url: str, token_file: Path | None, as_json: bool) -> None:
    """Import the devices of FILE.

    It is a table (CSV) with the columns id, key, name, serial_number, groups, tags, country, notes, or some of them;
    or a line for each: `ID` or `ID KEY`. Of a table all is imported, or nothing; of lines, those that are good.
    """
    with open_client(url, token_file) as client:
        try:
            facts = client.import_table(product_id(client, product), _read(file))
        except ServerRefused as error:
            for line in _objects(error.facts.get("refused")):
                click.echo(f"line {line.get('line')}: {line.get('reason')}", err=True)
            raise
    names = {"updated": "updatedDeviceIds", "known": "existingDeviceIds", "invalid": "invalidDeviceIds"}
    found = {word: ids if isinstance(ids := facts.get(name), list) else [] for word, name in names.items()}
    if as_json:
        click.echo(json.dumps(facts, indent=2))
    else:
        for word, ids in found.items():
            click.echo(f"{word:<8} {len(ids)}")
        for line in found["invalid"]:
            click.echo(f"not imported: {line}", err=True)
    if found["invalid"]:
        click.get_current_context().exit(1)


@click.command("export", epilog="Example: muster device export --group beta --output beta.csv")
@click.option("-o", "--output", type=OutputFile, required=True, help="Where to write the CSV file.")
@click.option("--name", default="", help="Only those with this in their name.")
@click.option("--group", "group_names", multiple=True, help="Only those in this group; may be given again.")
@click.option("--status", default="", help="Only those with this status.")
@product_option
@server_options
def export_devices(
    output: Path,
    name: str,
    group_names: tuple[str, ...],
    status: str,
    product: int | None,
    url: str,
    token_file: Path | None,
) -> None:
    """Write devices of a product as a table (CSV). It can be imported."""
    filters = {"deviceName": name, "groups": ",".join(group_names), "status": status}
    with open_client(url, token_file) as client:
        pieces = client.devices_csv(product_id(client, product), filters)
        try:
            with output.open("wb") as file:
                file.writelines(pieces)
        except OSError as error:
            raise FileFault(f"cannot write {output}: {error.strerror}") from error
    click.echo(f"wrote {output}")


@click.command(epilog="Example: muster device claim --port /dev/ttyACM0")
@click.argument("device_id", required=False)
@click.option("--port", help="Serial port of the device: it is given a claim code to tell.")
@product_option
@server_options
@json_option
def claim(
    device_id: str | None, port: str | None, product: int | None, url: str, token_file: Path | None, as_json: bool
) -> None:
    """Become the owner of a device.

    By its id, by a claim code given to the device at PORT, or, with neither, by a claim code that is printed.
    """
    if device_id is not None and port is not None:
        raise click.UsageError("give DEVICE_ID or --port")
    with open_client(url, token_file) as client:
        if device_id is not None:
            _say(client.claim_device(device_id), f"{device_id} is yours", as_json)
            return
        code = client.claim_code(product)
    if port is None:
        print_facts({"claim_code": code}, as_json)
        return
    with PortTransport(port) as transport:
        Link(transport).claim(code)
    print_facts({"port": port, "next": "the device is yours once it has checked in"}, as_json)


@click.command("give-up", epilog="Example: muster device give-up kitchen")
@click.argument("device")
@server_options
def give_up(device: str, url: str, token_file: Path | None) -> None:
    """Give up a device that you own, by id or name."""
    with open_client(url, token_file) as client:
        client.give_up_device(device)
    click.echo(f"nobody owns {device} any more")


@click.command(epilog="Example: muster device remove 0123456789abcdef01234567")
@click.argument("device_id")
@click.option("--deny", is_flag=True, help="Keep it in the product, and out of sessions for good.")
@click.option("--owner", is_flag=True, help="Only take it from its owner.")
@product_option
@server_options
def remove(device_id: str, deny: bool, owner: bool, product: int | None, url: str, token_file: Path | None) -> None:
    """Take a device out of its product. When it comes back, it is a new one."""
    if deny and owner:
        raise click.UsageError("give --deny or --owner")
    with open_client(url, token_file) as client:
        number = product_id(client, product)
        if owner:
            client.take_from_owner(number, device_id)
        else:
            client.remove_device(number, device_id, deny)
    done = "has no owner" if owner else "is denied" if deny else "is removed"
    click.echo(f"{device_id} {done}")


@click.command(epilog="Example: muster device flash 0123456789abcdef01234567 thermostat.bin")
@click.argument("device_id")
@click.argument("image", type=_INPUT)
@product_option
@server_options
@json_option
def flash(device_id: str, image: Path, product: int | None, url: str, token_file: Path | None, as_json: bool) -> None:
    """Have a device for development run IMAGE. It is offered it at its next check-in."""
    with open_client(url, token_file) as client:
        facts = client.flash_device(product_id(client, product), device_id, _read(image))
    _say(facts, f"{device_id} is offered the image at its next check-in", as_json)


COMMANDS = (import_devices, export_devices, claim, give_up, remove, flash)


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise FileFault(f"cannot read {file}: {error.strerror}") from error


def _objects(value: object) -> list[JsonObject]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _say(facts: JsonObject, words: str, as_json: bool) -> None:
    click.echo(json.dumps(facts, indent=2) if as_json else words)
