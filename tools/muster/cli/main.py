# SPDX-License-Identifier: Apache-2.0
"""The `muster` command: finds its subcommands, and turns errors into one line and an exit code.

Exit codes: 0 success, 1 a MusterError, 2 wrong usage, 130 interrupted.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from gettext import gettext

import click

from muster.errors import MusterError


@dataclass(frozen=True, slots=True)
class LazyCommand:
    """A subcommand that is imported when it is called.

    Attributes:
        target: `module:attribute` of the click command.
        help: its one line in `muster --help`; a test compares it with the command's own.
    """

    target: str
    help: str


COMMANDS: dict[str, LazyCommand] = {
    "account": LazyCommand("muster.cli.account:account", "Show your account, change it, or delete it."),
    "audit": LazyCommand("muster.cli.audit:audit", "Show and export who did what in an organization of a server."),
    "build": LazyCommand("muster.cli.build:build", "Build signed firmware of a product for each of its platforms."),
    "cohort": LazyCommand("muster.cli.cohort:cohort", "Save, show, preview and remove cohorts of devices."),
    "completion": LazyCommand("muster.cli.completion:completion", "Print the script that completes commands in SHELL."),
    "delta": LazyCommand("muster.cli.delta:delta", "Make, apply, inspect and explain patches."),
    "fleet": LazyCommand("muster.cli.fleet:fleet", "Simulate fleets of devices."),
    "flash": LazyCommand(
        "muster.cli.flash:command", "Bring the device at PORT to IMAGE over its serial link, and confirm it."
    ),
    "gateway": LazyCommand("muster.cli.gateway:gateway", "Connect devices at serial ports to a server."),
    "event": LazyCommand("muster.cli.event:event", "Publish events of a product, and listen to them."),
    "inspect": LazyCommand("muster.cli.inspect:inspect", "Show what a file holds."),
    "keys": LazyCommand("muster.cli.keys:keys", "List, show and make keys and key sets."),
    "device": LazyCommand(
        "muster.cli.device:device",
        "List, show, explain, provision, import, approve, change, flash, remove, call and read devices; own some.",
    ),
    "log": LazyCommand(
        "muster.cli.log:log", "Show and export what a product's devices told and what happened to them."
    ),
    "login": LazyCommand("muster.cli.login:login", "Sign in to a server; the access token is kept for this user."),
    "logout": LazyCommand("muster.cli.login:logout", "Sign out of a server: ends the access token and forgets it."),
    "mfa": LazyCommand("muster.cli.mfa:mfa", "Turn the second factor of your account on or off."),
    "monitor": LazyCommand(
        "muster.cli.monitor:command", "Show what the device at PORT says of itself, then its log lines."
    ),
    "org": LazyCommand("muster.cli.org:org", "List, make, rename and give away organizations of a server."),
    "product": LazyCommand("muster.cli.product:product", "List, show, make, change and remove products of a server."),
    "release": LazyCommand(
        "muster.cli.release:release",
        "List versions, release them to the default or to groups, rename, remove and kill them.",
    ),
    "publish": LazyCommand("muster.cli.publish:publish", "Upload an image to a server."),
    "rollout": LazyCommand("muster.cli.rollout:rollout", "Make, start, pause and show rollouts of a server."),
    "serve": LazyCommand("ota_server.cli:serve", "Run the update server with its dashboard."),
    "server": LazyCommand(
        "ota_server.operate:server", "Make accounts, set limits and check what is kept, where the server runs."
    ),
    "sign": LazyCommand("muster.cli.sign:sign", "Add signatures to an image."),
    "team": LazyCommand(
        "muster.cli.team:team", "List, invite and remove members of an organization; answer invitations."
    ),
    "token": LazyCommand("muster.cli.token:token", "List, make and revoke access tokens of your account."),
    "test": LazyCommand("muster.cli.test:test", "Check style, types and borders, then run the tests."),
    "verify": LazyCommand("muster.cli.verify:verify", "Check an image as a device does."),
    "client": LazyCommand(
        "muster.cli.oauth_client:oauth_client",
        "List, make, change and remove OAuth clients: programs that ask for tokens themselves.",
    ),
    "customer": LazyCommand("muster.cli.customer:customer", "List, show, make and remove customers of a product."),
    "webhook": LazyCommand(
        "muster.cli.webhook:webhook", "List, make and remove webhooks, and show what was delivered."
    ),
    "worker": LazyCommand(
        "ota_server.work:worker",
        "Make patches, send mails and webhooks, and move rollouts on, beside servers that share a PostgreSQL database.",
    ),
    "demo": LazyCommand(
        "muster.cli.demo:command",
        "Build two versions, boot emulated boards, update them with their power cut on the way.",
    ),
    "emulate": LazyCommand(
        "muster.cli.emulate:command", "Start an emulated board with the firmware of BUILD_DIR; its UART is a pty."
    ),
}
"""Every subcommand by its name."""


class Failure(click.ClickException):
    """A MusterError on its way to the terminal: one line, exit code 1."""

    def __init__(self, error: MusterError) -> None:
        text = " ".join(str(error).split())
        super().__init__(f"{text} ({error.status.c_name})" if error.status is not None else text)

    def show(self, file: object = None) -> None:
        click.echo(f"error: {self.message}", err=True)


class MusterGroup(click.Group):
    """Loads a subcommand when it is needed, so that `muster --help` imports none of them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        lazy = COMMANDS.get(cmd_name)
        return load_command(lazy) if lazy is not None else None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section(gettext("Commands")):
            formatter.write_dl([(name, COMMANDS[name].help) for name in self.list_commands(ctx)])

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except MusterError as error:
            raise Failure(error) from error
        except KeyboardInterrupt:
            click.echo("interrupted", err=True)
            ctx.exit(130)


def load_command(lazy: LazyCommand) -> click.Command:
    """Imports a subcommand."""
    module, _, attribute = lazy.target.partition(":")
    command = getattr(importlib.import_module(module), attribute)
    assert isinstance(command, click.Command)
    return command


@click.group(cls=MusterGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="muster", message="%(prog)s %(version)s")
def main() -> None:
    """Build, sign and update firmware for Photon, P1 and Electron fleets."""
