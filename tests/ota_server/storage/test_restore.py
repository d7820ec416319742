# SPDX-License-Identifier: Apache-2.0
"""Sessions outlive whatever cannot have taken the database back, and nothing else."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy.engine import URL
from starlette.testclient import TestClient

from ota_server.services import Services
from tests.ota_server import keys
from tests.ota_server.conftest import CBOR, HandClock, Server, make_app, make_settings, run_server
from tests.ota_server.postgresql import PostgreSql
from tests.ota_server.simulated import SimulatedDevice

running = contextlib.contextmanager(run_server)


@pytest.fixture
def url(postgresql: PostgreSql) -> Iterator[URL]:
    with postgresql.database() as url:
        yield url


def has_session(server: Server, device: SimulatedDevice) -> bool:
    """Whether the server knows the session that the device has."""
    message = device.session.seal(device.state)
    return server.client.post("/device/v1/check-in", content=message, headers=CBOR).status_code == 200


def killed(server: Server) -> None:
    """The process is gone: nothing of a clean stop happens."""
    services = server.services
    services.jobs.stop()
    services.jobs.relay.stop()
    services.database.close()


@contextlib.contextmanager
def unclean(folder: Path, clock: HandClock, url: URL, token: str) -> Iterator[Server]:
    app = make_app(make_settings(folder, database=url), clock)
    services: Services = app.state.services
    services.start()
    server = Server(folder, clock, TestClient(app), token)
    yield server
    killed(server)


@pytest.mark.both_databases
def test_clean_stop_keeps_the_sessions_and_a_backup_does_not(
    tmp_path: Path, clock: HandClock, database_url: URL | None
) -> None:
    settings = make_settings(tmp_path / "server", database=database_url)
    with running(settings, clock) as server:
        server.product()
        device = server.device()
        device.check_in()
        token = server.token
    stopped = (settings.data_dir / "stop-token").read_bytes()
    with running(settings, clock, token) as server:
        assert has_session(server, device)
    # The database is one that was stopped earlier: the pair does not match.
    (settings.data_dir / "stop-token").write_bytes(stopped)
    with running(settings, clock, token) as server:
        assert not has_session(server, device)


def test_server_that_comes_and_goes_while_another_one_serves_leaves_the_sessions(
    tmp_path: Path, clock: HandClock, url: URL
) -> None:
    one, two = make_settings(tmp_path / "one", database=url), make_settings(tmp_path / "two", database=url)
    with running(one, clock) as first:
        first.product()
        device = first.device()
        device.check_in()
        token = first.token
        for _ in range(2):
            with running(two, clock, token) as second:
                assert has_session(second, device)
        with unclean(tmp_path / "three", clock, url, token):
            pass
        assert has_session(first, device)
    with running(one, clock, token) as first:
        assert has_session(first, device), "the last of them stopped cleanly"


def test_no_server_that_stopped_cleanly_vouches_for_one_that_went_on_and_was_killed(
    tmp_path: Path, clock: HandClock, url: URL
) -> None:
    settings = make_settings(tmp_path / "one", database=url)
    with contextlib.ExitStack() as stack, running(settings, clock) as first:
        first.product()
        device = first.device()
        device.check_in()
        stack.enter_context(unclean(tmp_path / "two", clock, url, first.token))
    with running(settings, clock, first.token) as again:
        assert not has_session(again, device)


def test_server_without_workers_serves_and_is_ready(tmp_path: Path, clock: HandClock) -> None:
    settings = replace(make_settings(tmp_path / "server"), is_working=False)
    with running(settings, clock) as server:
        server.product()
        server.publish(keys.image(1))
        assert not any(worker.is_alive for worker in server.services.jobs.workers)
        assert server.client.get("/health/ready").status_code == 200
