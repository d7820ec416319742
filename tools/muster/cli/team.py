# SPDX-License-Identifier: Apache-2.0
"""`muster team`."""

from __future__ import annotations

import json
from pathlib import Path

import click

from muster.cli.output import json_option
from muster.cli.server import open_client, organization_option, organization_slug, server_options
from muster.client import JsonObject

ROLES = ("administrator", "developer", "support", "view-only")

_role = click.option("--role", type=click.Choice(ROLES), required=True, help="What the member may do.")


@click.group(epilog="Example: muster team invite ben@example.com --role support")
def team() -> None:
    """List, invite and remove members of an organization; answer invitations."""


@team.command("list", epilog="Example: muster team list")
@organization_option
@server_options
@json_option
def list_team(org: str | None, url: str, token_file: Path | None, as_json: bool) -> None:
    """List members and open invitations."""
    with open_client(url, token_file) as client:
        found = client.team(organization_slug(client, org))
    _print(found, as_json)


@team.command(epilog="Example: muster team invite ben@example.com --role support")
@click.argument("email")
@_role
@organization_option
@server_options
@json_option
def invite(email: str, role: str, org: str | None, url: str, token_file: Path | None, as_json: bool) -> None:
    """Invite an e-mail address; whoever has it answers at the next sign-in."""
    with open_client(url, token_file) as client:
        found = client.invite(organization_slug(client, org), email, role)
    _print(found, as_json)


@team.command("role", epilog="Example: muster team role ben@example.com --role developer")
@click.argument("email")
@_role
@organization_option
@server_options
@json_option
def change_role(email: str, role: str, org: str | None, url: str, token_file: Path | None, as_json: bool) -> None:
    """Give a member another role."""
    with open_client(url, token_file) as client:
        found = client.set_role(organization_slug(client, org), email, role)
    _print(found, as_json)


@team.command(epilog="Example: muster team remove ben@example.com")
@click.argument("email")
@organization_option
@server_options
def remove(email: str, org: str | None, url: str, token_file: Path | None) -> None:
    """Take a member out of the team, or withdraw an invitation."""
    with open_client(url, token_file) as client:
        slug = organization_slug(client, org)
        client.remove_member(slug, email)
    click.echo(f"{email} is not in the team of {slug} any more")


@team.command(epilog="Example: muster team invitations")
@server_options
@json_option
def invitations(url: str, token_file: Path | None, as_json: bool) -> None:
    """List invitations to you."""
    with open_client(url, token_file) as client:
        found = client.invitations()
    if as_json:
        click.echo(json.dumps({"invitations": found}, indent=2))
        return
    for item in found:
        organization = item.get("organization")
        slug = organization.get("slug") if isinstance(organization, dict) else "-"
        click.echo(f"{slug!s:<24} {_role_name(item):<14} invited by {item.get('invited_by')}")
    if not found:
        click.echo("none")


@team.command(epilog="Example: muster team accept warm-rooms")
@click.argument("organization")
@server_options
def accept(organization: str, url: str, token_file: Path | None) -> None:
    """Join the organization that invited you."""
    with open_client(url, token_file) as client:
        found = client.answer_invitation(organization, accept=True)
    click.echo(f"you are in the team of {organization} as {_role_name(found)}")


@team.command(epilog="Example: muster team decline warm-rooms")
@click.argument("organization")
@server_options
def decline(organization: str, url: str, token_file: Path | None) -> None:
    """Decline an invitation."""
    with open_client(url, token_file) as client:
        client.answer_invitation(organization, accept=False)
    click.echo(f"declined the invitation of {organization}")


def _print(found: JsonObject, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(found, indent=2))
        return
    for name, state in (("team", ""), ("invitations", "invited")):
        items = found.get(name)
        for item in items if isinstance(items, list) else []:
            click.echo(f"{item.get('username')!s:<40} {_role_name(item):<14} {state}".rstrip())


def _role_name(item: JsonObject) -> str:
    role = item.get("role")
    return str(role.get("name")) if isinstance(role, dict) else "API user"
