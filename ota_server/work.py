# SPDX-License-Identifier: Apache-2.0
"""`muster worker`: does the server's jobs in a process of its own."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

import click
from prometheus_client import start_http_server
from sqlalchemy.engine import URL

from muster.errors import EnvironmentFault, InputError
from muster.user_folders import data_folder
from ota_server.jobs import Jobs, open_jobs
from ota_server.mail.options import mail_options
from ota_server.mail.smtp import SmtpSettings
from ota_server.observe import logs
from ota_server.observe.logs import LogForm, LogLevel
from ota_server.observe.options import log_form_option, log_level_option
from ota_server.observe.registry import worker_registry
from ota_server.releases.options import patch_budget_option
from ota_server.settings import Settings, make_data_folder
from ota_server.storage.options import bucket_option, database_option
from ota_server.storage.s3 import Bucket
from ota_server.webhooks.network import Network
from ota_server.webhooks.options import hook_network_option

_EXAMPLE = "Example: muster worker --database postgresql://muster@db.example.com/muster"


@click.command("worker", epilog=_EXAMPLE)
@click.option("--data", type=click.Path(file_okay=False, path_type=Path), help="Data folder. [default: the user's]")
@database_option
@bucket_option
@patch_budget_option
@click.option("--public-url", default="", metavar="URL", help="Where people reach the server.")
@hook_network_option
@log_form_option
@log_level_option
@click.option(
    "--metrics-port",
    type=click.IntRange(1, 65_535),
    help="Measures for Prometheus, for this machine only. [default: none]",
)
@mail_options
def worker(
    data: Path | None,
    database_url: URL | None,
    bucket: Bucket | None,
    patch_budget: int,
    public_url: str,
    hook_networks: tuple[Network, ...],
    log_form: str,
    log_level: str,
    metrics_port: int | None,
    smtp: SmtpSettings | None,
) -> None:
    """Make patches, send mails and webhooks, and move rollouts on, beside servers that share a PostgreSQL database.

    Any number may run. It needs neither the online key nor key sets.
    """
    if database_url is None:
        raise InputError("SQLite is for one process, `muster serve`, which works by itself: give --database for more")
    settings = Settings(
        data or data_folder() / "server",
        public_url=public_url.rstrip("/"),
        smtp=smtp,
        hook_networks=hook_networks,
        database_url=database_url,
        bucket=bucket,
        patch_budget=patch_budget,
    )
    logs.set_up(LogForm(log_form), LogLevel(log_level))
    run(settings, metrics_port)


def run(settings: Settings, metrics_port: int | None) -> None:
    """Works until SIGTERM or SIGINT, and ends after the jobs under way."""
    stop = threading.Event()

    def handle(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, handle)
    make_data_folder(settings)
    jobs = open_jobs(settings)
    jobs.relay.start()
    jobs.start()
    with contextlib.nullcontext() if metrics_port is None else serve_measures(jobs, metrics_port):
        click.echo("working")
        stop.wait()
    jobs.stop()
    jobs.relay.stop()
    jobs.database.close()


@contextlib.contextmanager
def serve_measures(jobs: Jobs, port: int) -> Iterator[int]:
    """Answers Prometheus on this machine; yields the port. Raises EnvironmentFault."""
    try:
        server, thread = start_http_server(port, "127.0.0.1", worker_registry(jobs, jobs.workers))
    except OSError as error:
        raise EnvironmentFault(f"cannot listen on 127.0.0.1 port {port}: {error.strerror or error}") from error
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
