# SPDX-License-Identifier: Apache-2.0
"""`muster release`."""

from __future__ import annotations

import json
from pathlib import Path

import click

from muster.cli.output import json_option
from muster.cli.server import open_client, product_id, product_option, server_options
from muster.client import JsonObject
from muster.errors import ValueOutOfRange

_VERSION = click.IntRange(1, 65_534)


@click.group(epilog="Example: muster release list")
def release() -> None:
    """List versions, release them to the default or to groups, rename, remove and kill them."""


@release.command("list", epilog="Example: muster release list --json")
@product_option
@server_options
@json_option
def list_releases(product: int | None, url: str, token_file: Path | None, as_json: bool) -> None:
    """List a product's versions, newest first."""
    with open_client(url, token_file) as client:
        releases = client.releases(product_id(client, product))
    if as_json:
        click.echo(json.dumps({"releases": releases}, indent=2))
        return
    for item in releases:
        click.echo(_line(item))
    if not releases:
        click.echo("no versions yet: upload one with `muster publish`")


@release.command("patches", epilog="Example: muster release patches --json")
@product_option
@server_options
@json_option
def list_patches(product: int | None, url: str, token_file: Path | None, as_json: bool) -> None:
    """List a product's patches: how far they are, and what making them took."""
    with open_client(url, token_file) as client:
        number = product_id(client, product)
        patches, storage = client.patches(number), client.patch_storage(number)
    if as_json:
        click.echo(json.dumps({"patches": patches, "storage": storage}, indent=2))
        return
    for item in patches:
        click.echo(_patch_line(item))
    click.echo(f"kept: {storage['bytes']:,} bytes; the server keeps up to {storage['budget_bytes']:,} of all products")


@release.command(epilog="Example: muster release make 2 --group beta")
@click.argument("version", type=_VERSION)
@click.option("--default/--no-default", "default", default=None, help="Make it the product's default, or end that.")
@click.option("--group", "groups", multiple=True, help="Release it to this group; may be given again.")
@click.option("--no-groups", is_flag=True, help="Release it to no group any more.")
@click.option("--force", is_flag=True, help="Although it has not run on a device yet.")
@click.option("--dry-run", is_flag=True, help="Only say how many devices it would update.")
@product_option
@server_options
@json_option
def make(
    version: int,
    default: bool | None,
    groups: tuple[str, ...],
    no_groups: bool,
    force: bool,
    dry_run: bool,
    product: int | None,
    url: str,
    token_file: Path | None,
    as_json: bool,
) -> None:
    """Release VERSION to the default, or to groups.

    To exactly these groups; alone it becomes the product's default.
    """
    if groups and no_groups:
        raise click.UsageError("give --group or --no-groups")
    to: JsonObject = {"force": True} if force else {}
    if default is not None:
        to["product_default"] = default
    if groups or no_groups:
        to["groups"] = list(groups)
    with open_client(url, token_file) as client:
        number = product_id(client, product)
        if dry_run:
            is_default = bool(default) or (default is None and not groups and not no_groups)
            facts = client.impact(number, version, is_default, groups)
        else:
            facts = client.release(number, version, **to)
    if as_json:
        click.echo(json.dumps(facts, indent=2))
    elif dry_run:
        click.echo(f"would update {facts.get('total')} devices")
    else:
        click.echo(_line(facts))


@release.command("set", epilog="Example: muster release set 2 --title Spring")
@click.argument("version", type=_VERSION)
@click.option("--title", help="What to call it.")
@click.option("--description", help="What is new.")
@product_option
@server_options
@json_option
def set_release(
    version: int,
    title: str | None,
    description: str | None,
    product: int | None,
    url: str,
    token_file: Path | None,
    as_json: bool,
) -> None:
    """Rename or describe VERSION."""
    given = {"title": title, "description": description}
    changes = {key: value for key, value in given.items() if value is not None}
    if not changes:
        raise ValueOutOfRange("nothing to change: give --title or --description")
    with open_client(url, token_file) as client:
        facts = client.change_release(product_id(client, product), version, **changes)
    click.echo(json.dumps(facts, indent=2) if as_json else _line(facts))


@release.command(epilog="Example: muster release remove 2")
@click.argument("version", type=_VERSION)
@product_option
@server_options
def remove(version: int, product: int | None, url: str, token_file: Path | None) -> None:
    """Remove VERSION, which no device was ever meant to run."""
    with open_client(url, token_file) as client:
        client.remove_release(product_id(client, product), version)
    click.echo(f"version {version} is removed")


@release.command(epilog="Example: muster release kill 3")
@click.argument("version", type=_VERSION)
@product_option
@server_options
@json_option
def kill(version: int, product: int | None, url: str, token_file: Path | None, as_json: bool) -> None:
    """Offer VERSION to nobody any more: abort its rollouts, end its releases."""
    with open_client(url, token_file) as client:
        ended = client.kill_release(product_id(client, product), version)
    if as_json:
        click.echo(json.dumps(ended, indent=2))
        return
    click.echo(f"version {version} is killed; {ended['running_devices']} devices run it and go on")
    for name, what in (("aborted_rollouts", "aborted: rollout"), ("groups", "no release any more: group")):
        found = ended[name]
        assert isinstance(found, list)
        for one in found:
            click.echo(f"{what} {one}")
    if ended["was_default"]:
        click.echo("no default any more: the product")
    if ended["locked_devices"]:
        click.echo(f"get nothing while they are locked to it: {ended['locked_devices']} devices")


@release.command(epilog="Example: muster release revive 3")
@click.argument("version", type=_VERSION)
@product_option
@server_options
@json_option
def revive(version: int, product: int | None, url: str, token_file: Path | None, as_json: bool) -> None:
    """Let VERSION, which was killed, be offered again; what that ended stays ended."""
    with open_client(url, token_file) as client:
        facts = client.revive_release(product_id(client, product), version)
    click.echo(json.dumps(facts, indent=2) if as_json else _line(facts))


def _line(item: JsonObject) -> str:
    groups = item.get("groups")
    to = ["default"] if item.get("product_default") else []
    to += [str(name) for name in groups] if isinstance(groups, list) else []
    to += ["killed"] if item.get("killed_on") else []
    return (
        f"{item.get('version'):>6}  {item.get('device_count'):>6} devices  {', '.join(to) or '-'}  {item.get('title')}"
    )


def _patch_line(item: JsonObject) -> str:
    way = "full image" if item["is_full"] else f"from {item['base_version']}"
    line = f"{item['target_version']!s:>6}  {item['platform']!s:<9} {way:<12} {item['status']!s:<8}"
    if item["status"] == "ready":
        line += f" {item['size']:>9,} bytes, made in {item['duration_ms']:,} ms with {item['memory_bytes']:,} bytes"
    return f"{line}  {item['error']}".rstrip()
