# SPDX-License-Identifier: Apache-2.0
"""The server's commands in `muster`."""

from __future__ import annotations

import json
import os
from pathlib import Path

import click
from sqlalchemy.engine import URL

from muster.errors import FileFault, InputError
from muster.keystore import KeyStore
from muster.user_folders import data_folder, keys_folder
from ota_server import http
from ota_server.accounts.policy import ANYONE, INVITED, SignUpPolicy
from ota_server.accounts.service import Passwords
from ota_server.app import create_app
from ota_server.clock import SystemClock
from ota_server.errors import ServerError
from ota_server.mail.options import mail_options
from ota_server.mail.smtp import SmtpSettings
from ota_server.observe import logs
from ota_server.observe.logs import Accesses, LogForm, LogLevel
from ota_server.observe.options import access_log_option, log_form_option, log_level_option
from ota_server.operate import read_password
from ota_server.organizations.service import add_administrator
from ota_server.releases.options import patch_budget_option
from ota_server.services import Services
from ota_server.settings import (
    ADDRESS_CONNECTIONS_MAX,
    CHECK_INS_PER_S,
    CONNECTIONS_MAX,
    DEFAULT_HOST,
    DEFAULT_PORT,
    Settings,
    prepare,
    read_token,
    use_development_keys,
)
from ota_server.storage.database import Database
from ota_server.storage.migrate import migrate
from ota_server.storage.options import bucket_option, database_option
from ota_server.storage.s3 import Bucket
from ota_server.webhooks.network import Network
from ota_server.webhooks.options import hook_network_option

_EXAMPLE = "Example: muster serve --init --email ana@example.com (once, prints an access token); then: muster serve"


@click.command("serve", epilog=_EXAMPLE)
@click.option("--data", type=click.Path(file_okay=False, path_type=Path), help="Data folder. [default: the user's]")
@database_option
@bucket_option
@patch_budget_option
@click.option("--host", default=DEFAULT_HOST, show_default=True, help="Address to listen on.")
@click.option("--port", default=DEFAULT_PORT, show_default=True, type=click.IntRange(0, 65_535), help="0: a free one.")
@click.option(
    "--online-key",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="PEM file of the online key. [default: online.pem in the data folder, made on first use]",
)
@click.option(
    "--keyset",
    "keysets",
    multiple=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A key set to keep; may be given again. [default: those given before, else the development key set]",
)
@click.option("--secure-cookie", is_flag=True, help="The sign-in cookie is for HTTPS only (behind a TLS proxy).")
@click.option(
    "--password-client",
    "password_clients",
    multiple=True,
    metavar="ID",
    help="An OAuth client that may ask for people's passwords; may be given again. Particle's: CLI2, particle-api.",
)
@click.option(
    "--public-url",
    default="",
    metavar="URL",
    help="Where people reach the server, for links in mails, such as https://muster.example.com.",
)
@click.option(
    "--sign-up",
    default=INVITED,
    show_default=True,
    metavar="WHO",
    help=f"Who may sign up by mail: `{INVITED}` people only, `{ANYONE}`, or people at domains (with commas between).",
)
@hook_network_option
@click.option(
    "--connections",
    "connections_max",
    default=CONNECTIONS_MAX,
    show_default=True,
    type=click.IntRange(10, 1_000_000),
    help="At once; beyond it the one that has been idle longest is ended.",
)
@click.option(
    "--connections-per-address",
    "address_connections_max",
    default=ADDRESS_CONNECTIONS_MAX,
    show_default=True,
    type=click.IntRange(1, 1_000_000),
    help="From one address (IPv6: one /64). A proxy on this machine is none.",
)
@click.option(
    "--check-ins-per-second",
    "check_ins_per_s",
    default=CHECK_INS_PER_S,
    show_default=True,
    type=click.IntRange(1, 1_000_000),
    help="How many devices this process asks to come in one second: the others are told to come later.",
)
@click.option(
    "--metrics-token-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A file with the token that opens /metrics. [default: /metrics is for this machine only]",
)
@log_form_option
@log_level_option
@access_log_option
@mail_options
@click.option("--no-worker", is_flag=True, help="Leave patches, mails, webhooks and what waits to `muster worker`.")
@click.option("--init", is_flag=True, help="Make an account, print its access token, and end.")
@click.option("--email", help="With --init: the account's address.")
@click.option(
    "--organization",
    default="My organization",
    show_default=True,
    help="With --init: its organization's name. Made when there is none; the account administers it.",
)
@click.option("--password-stdin", is_flag=True, help="With --init: read the password from standard input.")
@click.option("--json", "as_json", is_flag=True, help="With --init: print the facts as JSON.")
def serve(
    data: Path | None,
    database_url: URL | None,
    bucket: Bucket | None,
    patch_budget: int,
    host: str,
    port: int,
    online_key: Path | None,
    keysets: tuple[Path, ...],
    secure_cookie: bool,
    password_clients: tuple[str, ...],
    public_url: str,
    sign_up: str,
    hook_networks: tuple[Network, ...],
    connections_max: int,
    address_connections_max: int,
    check_ins_per_s: int,
    metrics_token_file: Path | None,
    log_form: str,
    log_level: str,
    accesses: str,
    smtp: SmtpSettings | None,
    no_worker: bool,
    init: bool,
    email: str | None,
    organization: str,
    password_stdin: bool,
    as_json: bool,
) -> None:
    """Run the update server with its dashboard."""
    settings = Settings(
        data or data_folder() / "server",
        online_key,
        keysets,
        secure_cookie,
        password_clients=password_clients,
        public_url=public_url.rstrip("/"),
        smtp=smtp,
        sign_up=SignUpPolicy.from_text(sign_up),
        database_url=database_url,
        bucket=bucket,
        patch_budget=patch_budget,
        hook_networks=hook_networks,
        connections_max=connections_max,
        address_connections_max=address_connections_max,
        check_ins_per_s=check_ins_per_s,
        metrics_token=None if metrics_token_file is None else read_token(metrics_token_file),
        is_working=not no_worker,
    )
    if init:
        _init(settings, email, organization, password_stdin, as_json)
    else:
        logs.set_up(LogForm(log_form), LogLevel(log_level), Accesses(accesses))
        _run(settings, host, port)


def _init(settings: Settings, email: str | None, organization: str, password_stdin: bool, as_json: bool) -> None:
    if email is None:
        raise click.UsageError("--init needs --email")
    password = read_password(password_stdin)
    _take_keys(settings)
    prepare(settings)
    migrate(settings.database)
    database = Database(settings.database)
    try:
        hashed = Passwords().hash(password)
        now_ms = SystemClock().now_ms()
        token = database.write(lambda c: add_administrator(c, email, hashed, organization, now_ms))
    except ServerError as error:
        raise InputError(str(error)) from error
    finally:
        database.close()
    online = settings.read_online_key().public_key.raw.hex()
    if as_json:
        click.echo(json.dumps({"email": email, "token": token, "online_key": online, "data": str(settings.data_dir)}))
    else:
        click.echo(f"account      {email}")
        click.echo(f"organization {organization}")
        click.echo(f"token        {token}   (shown only now)")
        click.echo(f"online key   {online}")
        click.echo(f"data         {settings.data_dir}")


def _run(settings: Settings, host: str, port: int) -> None:
    if _take_keys(settings):
        click.echo("using the development keys: for trying things out, not for a product", err=True)
    try:
        listener = http.listen(host, port)
    except OSError as error:
        raise FileFault(f"cannot listen on {host} port {port}: {error.strerror or error}") from error
    with listener:
        app = create_app(settings)
        where = listener.getsockname()
        shown = f"[{where[0]}]" if ":" in where[0] else where[0]
        url = f"http://{shown}:{where[1]}"
        if not http.serve(app, app.state.services, listener, lambda: _say_ready(app.state.services, url)):
            raise FileFault("the server could not start: see the lines above")


def _say_ready(services: Services, url: str) -> None:
    """Where the server is; and while nobody has an account, where the first is made."""
    click.echo(f"serving on {url}")
    with services.database.read() as connection:
        is_new = services.first_run.is_open(connection)
    if is_new:
        click.echo(f"nobody has an account yet: make the first one at {url}/set-up?token={services.first_run.token}")


def _take_keys(settings: Settings) -> bool:
    """Uses the development keys when the data folder has none and none were given."""
    if not settings.may_use_development_keys():
        return False
    return use_development_keys(settings, KeyStore.open(keys_folder(), os.urandom))
