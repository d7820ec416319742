# SPDX-License-Identifier: Apache-2.0
"""`muster login` and `muster logout`."""

from __future__ import annotations

import sys

import click

from muster import token_store
from muster.cli.server import DEFAULT_URL
from muster.client import CodeNeeded, ServerClient, ServerRefused, send_code, sign_in

_server = click.option(
    "--server", "url", envvar="MUSTER_SERVER", default=DEFAULT_URL, show_default=True, help="The server's address."
)


@click.command(epilog="Example: muster login --email ana@example.com")
@click.option("--email", prompt="E-mail address", help="The account's address; asked for when left out.")
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input.")
@_server
def login(email: str, password_stdin: bool, url: str) -> None:
    """Sign in to a server; the access token is kept for this user."""
    password = sys.stdin.readline().rstrip("\r\n") if password_stdin else click.prompt("Password", hide_input=True)
    try:
        token = sign_in(url, email, password)
    except CodeNeeded as needed:
        token = send_code(url, needed.mfa_token, click.prompt("Code of your authenticator app, or a recovery code"))
    place = token_store.save(url, token)
    click.echo(f"signed in to {url} as {email}; the token is in {place}")


@click.command(epilog="Example: muster logout")
@_server
def logout(url: str) -> None:
    """Sign out of a server: ends the access token and forgets it."""
    token = token_store.load(url)
    if token is None:
        click.echo(f"not signed in to {url}")
        return
    try:
        with ServerClient(url, token) as client:
            client.revoke_token()
    except ServerRefused as error:
        # It had ended before: that is what was wanted.
        if error.http_status != 401:
            raise
    token_store.forget(url)
    click.echo(f"signed out of {url}")
