# SPDX-License-Identifier: Apache-2.0
"""`muster org`."""

from __future__ import annotations

import json
from pathlib import Path

import click

from muster.cli.output import json_option
from muster.cli.server import open_client, organization_option, organization_slug, server_options
from muster.client import JsonObject


@click.group(epilog="Example: muster org list")
def org() -> None:
    """List, make, rename and give away organizations of a server."""


@org.command("list", epilog="Example: muster org list --json")
@server_options
@json_option
def list_organizations(url: str, token_file: Path | None, as_json: bool) -> None:
    """List the account's organizations and its role in each."""
    with open_client(url, token_file) as client:
        found = client.organizations()
    if as_json:
        click.echo(json.dumps({"organizations": found}, indent=2))
        return
    for item in found:
        click.echo(_line(item))
    if not found:
        click.echo("none: make one with `muster org create`, or be invited into one")


@org.command(epilog='Example: muster org create "Warm Rooms"')
@click.argument("name")
@server_options
@json_option
def create(name: str, url: str, token_file: Path | None, as_json: bool) -> None:
    """Make an organization; you are its first administrator."""
    with open_client(url, token_file) as client:
        made = client.create_organization(name)
    click.echo(json.dumps(made, indent=2) if as_json else _line(made))


@org.command(epilog='Example: muster org rename "Cosy Rooms"')
@click.argument("name")
@organization_option
@server_options
@json_option
def rename(name: str, org: str | None, url: str, token_file: Path | None, as_json: bool) -> None:
    """Give an organization another name; its slug stays."""
    with open_client(url, token_file) as client:
        renamed = client.rename_organization(organization_slug(client, org), name)
    click.echo(json.dumps(renamed, indent=2) if as_json else _line(renamed))


@org.command(epilog="Example: muster org usage --from 2026-11-01 --to 2026-11-30")
@click.option("--from", "first", metavar="DATE", help="The first day. [default: 29 days before the last]")
@click.option("--to", "last", metavar="DATE", help="The last day. [default: today, in UTC]")
@organization_option
@server_options
@json_option
def usage(
    first: str | None, last: str | None, org: str | None, url: str, token_file: Path | None, as_json: bool
) -> None:
    """Show what an organization uses: seats, devices and storage, check-ins and bytes served."""
    days = {key: value for key, value in (("from", first), ("to", last)) if value is not None}
    with open_client(url, token_file) as client:
        found = client.usage(organization_slug(client, org), days)
    if as_json:
        click.echo(json.dumps(found, indent=2))
        return
    now, limits, listed = found["now"], found["limits"], found["days"]
    assert isinstance(now, dict)
    assert isinstance(limits, dict)
    assert isinstance(listed, list)
    for key, value in now.items():
        click.echo(f"{key:<14} {value:>14,}" + (f" of {limits[key]:,}" if limits.get(key) is not None else ""))
    for key in ("check_ins", "bytes_served"):
        click.echo(f"{key:<14} {found[key]:>14,}")
    for day in listed:
        click.echo(f"{day['date']}  {day['check_ins']:>12,} check-ins  {day['bytes_served']:>14,} bytes")


@org.command(epilog='Example: muster org brand --name "Cosy Rooms" --color "#1f5fbf" --logo logo.png')
@click.option("--name", help="The name that customers see.")
@click.option("--support-email", metavar="EMAIL", help="Where customers ask for help; empty for nowhere.")
@click.option("--color", metavar="#RRGGBB", help="Of links and buttons.")
@click.option("--background", metavar="#RRGGBB", help="What is behind everything.")
@click.option("--logo", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="A PNG file.")
@click.option("--no-logo", is_flag=True, help="Show the name instead of a logo.")
@organization_option
@server_options
@json_option
def brand(
    name: str | None,
    support_email: str | None,
    color: str | None,
    background: str | None,
    logo: Path | None,
    no_logo: bool,
    org: str | None,
    url: str,
    token_file: Path | None,
    as_json: bool,
) -> None:
    """Show how an organization looks to its customers, or change it."""
    given = {"name": name, "support_email": support_email, "color": color, "background": background}
    values = {key: value for key, value in given.items() if value is not None}
    with open_client(url, token_file) as client:
        slug = organization_slug(client, org)
        found = client.set_branding(slug, values) if values else client.branding(slug)
        if logo is not None or no_logo:
            found = client.set_logo(slug, b"" if logo is None else logo.read_bytes())
    if as_json:
        click.echo(json.dumps(found, indent=2))
        return
    for key, value in found.items():
        click.echo(f"{key:<14} {value or '-'}")


@org.command(epilog="Example: muster org transfer ben@example.com")
@click.argument("email")
@organization_option
@server_options
@json_option
def transfer(email: str, org: str | None, url: str, token_file: Path | None, as_json: bool) -> None:
    """Make another administrator the owner; you stay administrator."""
    with open_client(url, token_file) as client:
        slug = organization_slug(client, org)
        team = client.transfer_organization(slug, email)
    click.echo(json.dumps(team, indent=2) if as_json else f"{email} owns {slug} now")


def _line(item: JsonObject) -> str:
    role = item.get("role")
    name = role.get("name") if isinstance(role, dict) else "-"
    return f"{item.get('slug')!s:<24} {name!s:<14} {item.get('name')}"
