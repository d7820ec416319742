# SPDX-License-Identifier: Apache-2.0
"""`muster server`: what only whoever runs the server may do. It opens the database itself and asks nobody."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import TypeVar

import click
from sqlalchemy import URL, Connection

from muster.errors import InputError
from muster.user_folders import data_folder
from ota_server.accounts import store as accounts_store
from ota_server.accounts.addresses import clean_email, normal_email
from ota_server.accounts.service import Passwords
from ota_server.check import check
from ota_server.clock import SystemClock
from ota_server.errors import NotFound, ServerError
from ota_server.organizations import store as organizations
from ota_server.settings import Settings
from ota_server.storage.database import Database
from ota_server.storage.migrate import migrate
from ota_server.storage.options import bucket_option, database_option
from ota_server.storage.s3 import Bucket
from ota_server.usage import service, store
from ota_server.usage.models import Limits

T = TypeVar("T")

NONE = "none"


class Amount(click.ParamType[int]):
    """A number from 0, or `none`."""

    name = "number"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if value == NONE:
            return -1
        text = str(value)
        if not text.isascii() or not text.isdigit() or len(text) > 15:
            self.fail(f"{text!r} is neither a number nor `{NONE}`", param, ctx)
        return int(text)


_data_option = click.option(
    "--data", type=click.Path(file_okay=False, path_type=Path), help="Data folder. [default: the user's]"
)


@click.group(epilog="Example: muster server limits --seats 20")
def server() -> None:
    """Make accounts, set limits and check what is kept, where the server runs."""


@server.command(epilog="Example: muster server account ben@example.com")
@click.argument("email")
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input.")
@_data_option
@database_option
def account(email: str, password_stdin: bool, data: Path | None, database_url: URL | None) -> None:
    """Make an account without mail, or give the one of EMAIL another password and end what is signed in.

    It is in no team: an administrator invites it. A second factor stays on.
    """
    password = read_password(password_stdin)
    now_ms = SystemClock().now_ms()

    def work(connection: Connection) -> str:
        hashed = Passwords().hash(password)
        known = accounts_store.by_email(connection, normal_email(email))
        if known is None:
            accounts_store.add_account(connection, clean_email(email), hashed, now_ms)
            return f"made the account {email}"
        accounts_store.change(connection, known.id, password_hash=hashed)
        accounts_store.end_web_sessions(connection, known.id)
        accounts_store.end_tokens(connection, known.id)
        accounts_store.end_links(connection, known.id)
        return f"{known.email} has another password, and is signed out everywhere"

    click.echo(_write(data, database_url, work))


@server.command("limits", epilog="Example: muster server limits warm-rooms --devices 5000 --seats none")
@click.argument("organization", required=False)
@click.option("--seats", type=Amount(), help="Team members and open invitations.")
@click.option("--devices", type=Amount(), help="Trusted devices.")
@click.option("--storage", "storage_bytes", type=Amount(), metavar="BYTES", help="Images, ELF files and patches.")
@click.option("--organizations", "owned", type=Amount(), help="That an account may own; 0: nobody makes any.")
@_data_option
@database_option
@click.option("--json", "as_json", is_flag=True, help="Print the limits as JSON.")
def set_limits(
    organization: str | None,
    seats: int | None,
    devices: int | None,
    storage_bytes: int | None,
    owned: int | None,
    data: Path | None,
    database_url: URL | None,
    as_json: bool,
) -> None:
    """Show or set limits: of ORGANIZATION (its slug), or of all that have none of their own.

    Each is a number, or `none`. What is there already stays, whatever the limit.
    """
    if organization is not None and owned is not None:
        raise click.UsageError("--organizations is for accounts: leave the organization out")
    given = {"seats": seats, "devices": devices, "storage_bytes": storage_bytes, "organizations": owned}
    values = {key: None if value < 0 else value for key, value in given.items() if value is not None}

    def work(connection: Connection) -> Limits:
        number = None if organization is None else _number_of(connection, organization)
        if values:
            return service.change_limits(connection, number, values)
        return store.limits_of(connection, number)

    found = asdict(_write(data, database_url, work))
    if organization is not None:
        del found["organizations"]
    if as_json:
        click.echo(json.dumps(found, indent=2))
        return
    for key, value in found.items():
        click.echo(f"{key:<14} {NONE if value is None else value}")


@server.command("check", epilog="Example: muster server check --blobs")
@click.option("--blobs", "reads_blobs", is_flag=True, help="Read every image and patch, too.")
@_data_option
@database_option
@bucket_option
@click.option("--json", "as_json", is_flag=True, help="Print what differs as JSON.")
def check_kept(
    reads_blobs: bool, data: Path | None, database_url: URL | None, bucket: Bucket | None, as_json: bool
) -> None:
    """Count anew what is counted, and name everything that differs; exit code 1 if anything does.

    It changes nothing, and may be run beside a server.
    """
    settings = replace(_settings(data, database_url), bucket=bucket)
    kept, served = settings.open_blobs()
    with _database(settings) as database, database.read() as connection:
        found = check(connection, kept, served, reads_blobs)
    if as_json:
        click.echo(json.dumps([asdict(difference) for difference in found], indent=2))
    else:
        for difference in found:
            click.echo(f"{difference.place}: {difference.text}")
        click.echo(f"{len(found)} difference{'s' * (len(found) != 1)}" if found else "everything agrees")
    if found:
        click.get_current_context().exit(1)


def _settings(data: Path | None, database_url: URL | None) -> Settings:
    return Settings(data or data_folder() / "server", database_url=database_url)


def _number_of(connection: Connection, slug: str) -> int:
    found = organizations.by_slug(connection, slug)
    if found is None:
        raise NotFound(f"there is no organization {slug}")
    return found.id


def _write(data: Path | None, database_url: URL | None, work: Callable[[Connection], T]) -> T:
    """Raises InputError."""
    with _database(_settings(data, database_url)) as database:
        return database.write(work)


@contextmanager
def _database(settings: Settings) -> Iterator[Database]:
    """The server's database, with the newest tables. Raises InputError, for what the server refuses too."""
    if settings.database_url is None and not settings.database_path.exists():
        raise InputError(f"there is no database in {settings.data_dir}: begin with `muster serve --init`")
    migrate(settings.database)
    database = Database(settings.database)
    try:
        yield database
    except ServerError as error:
        raise InputError(str(error)) from error
    finally:
        database.close()


def read_password(from_stdin: bool) -> str:
    """Typed twice, or a line of standard input."""
    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    return str(click.prompt("Password", hide_input=True, confirmation_prompt=True))
