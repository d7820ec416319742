# SPDX-License-Identifier: Apache-2.0
"""`muster mfa`."""

from __future__ import annotations

from pathlib import Path

import click

from muster.cli.server import open_client, server_options


@click.group(epilog="Example: muster mfa on")
def mfa() -> None:
    """Turn the second factor of your account on or off."""


@mfa.command(epilog="Example: muster mfa on")
@server_options
def on(url: str, token_file: Path | None) -> None:
    """Set up an authenticator app; signing in needs its codes from then on."""
    with open_client(url, token_file) as client:
        begun = client.begin_mfa()
        click.echo(f"Add this to your authenticator app:\n{begun.get('otpauth_url')}")
        click.echo(f"or type the secret in: {begun.get('secret')}")
        codes = client.confirm_mfa(str(begun.get("mfa_token")), click.prompt("Its code now"))
    click.echo("The second factor is on. Keep these recovery codes; each works once, and they are shown only now:")
    for code in codes:
        click.echo(code)


@mfa.command(epilog="Example: muster mfa off")
@server_options
def off(url: str, token_file: Path | None) -> None:
    """Go back to the password alone; asks for it."""
    with open_client(url, token_file) as client:
        client.disable_mfa(click.prompt("Password", hide_input=True))
    click.echo("the second factor is off")
