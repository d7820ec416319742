# SPDX-License-Identifier: Apache-2.0
"""`muster account`."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from muster.cli.output import json_option
from muster.cli.server import open_client, server_options


@click.group(epilog="Example: muster account password")
def account() -> None:
    """Show your account, change it, or delete it."""


@account.command(epilog="Example: muster account show --json")
@server_options
@json_option
def show(url: str, token_file: Path | None, as_json: bool) -> None:
    """Show who you are to the server."""
    with open_client(url, token_file) as client:
        found = client.user()
    if as_json:
        click.echo(json.dumps(found, indent=2))
        return
    info, mfa = found.get("account_info"), found.get("mfa")
    assert isinstance(info, dict)
    assert isinstance(mfa, dict)
    click.echo(f"{'username':<18} {found.get('username')}")
    for key, value in info.items():
        click.echo(f"{key:<18} {value if value != '' else '-'}")
    click.echo(f"{'second factor':<18} {'on' if mfa.get('enabled') else 'off'}")


@account.command(epilog='Example: muster account name --first Ana --last Lind --company "Warm Rooms"')
@click.option("--first", default="", help="First name.")
@click.option("--last", default="", help="Last name.")
@click.option("--company", default="", help="Company; then it is a business account.")
@server_options
def name(first: str, last: str, company: str, url: str, token_file: Path | None) -> None:
    """Say what you are called; what is left out is emptied."""
    info = {"first_name": first, "last_name": last, "company_name": company, "business_account": bool(company)}
    with open_client(url, token_file) as client:
        client.change_user({"account_info": info})
    click.echo("saved")


@account.command(epilog="Example: muster account email ana@example.org")
@click.argument("address")
@server_options
def email(address: str, url: str, token_file: Path | None) -> None:
    """Sign in by another address, from when the link in a mail to it is followed; asks for the password."""
    with open_client(url, token_file) as client:
        said = client.change_user({"username": address, "current_password": _asked("Password")})
    click.echo(said)


@account.command(epilog="Example: muster account password --end-tokens")
@click.option("--end-tokens", is_flag=True, help="End all access tokens too, this one as well.")
@click.option("--password-stdin", is_flag=True, help="Read the old and the new password, a line each, from stdin.")
@server_options
def password(end_tokens: bool, password_stdin: bool, url: str, token_file: Path | None) -> None:
    """Choose another password; browsers are signed out."""
    with open_client(url, token_file) as client:
        if password_stdin:
            old, new = (sys.stdin.readline().rstrip("\r\n") for _ in range(2))
        else:
            old = _asked("Password until now")
            new = click.prompt("New password", hide_input=True, confirmation_prompt=True)
        client.change_user({"current_password": old, "password": new, "invalidate_tokens": end_tokens})
    click.echo("your password has changed")


@account.command(epilog="Example: muster account delete")
@server_options
def delete(url: str, token_file: Path | None) -> None:
    """Leave every team and delete your account; asks for the password."""
    with open_client(url, token_file) as client:
        click.confirm(f"Delete the account {client.user().get('username')} for good?", abort=True)
        client.delete_user(_asked("Password"))
    click.echo("your account is deleted")


def _asked(what: str) -> str:
    return str(click.prompt(what, hide_input=True))
