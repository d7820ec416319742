# SPDX-License-Identifier: Apache-2.0
"""Who asks whether the server is well learns which part is not, and nothing else."""

from __future__ import annotations

import shutil
import threading

import pytest
from sqlalchemy import text

from ota_server.observe import health
from ota_server.observe.health import OK
from tests.ota_server.conftest import Server


@pytest.fixture(autouse=True)
def _look_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "CHECK_EVERY_S", 0.0)
    monkeypatch.setattr(health, "BLOBS_EVERY_S", 0.0)


def parts(server: Server, expect: int) -> dict[str, str]:
    """What is not well."""
    response = server.client.get("/health/ready")
    assert response.status_code == expect, response.text
    assert response.json()["ready"] is (expect == 200)
    return {part: word for part, word in response.json()["parts"].items() if word != OK}


@pytest.mark.both_databases
def test_a_server_that_is_well_says_so(server: Server) -> None:
    assert server.client.get("/health/live").json() == {"live": True, "gone": []}
    assert parts(server, 200) == {}


def test_tables_of_another_version_are_told(server: Server) -> None:
    server.services.database.write(lambda c: c.execute(text("UPDATE alembic_version SET version_num = '9999'")))
    assert parts(server, 503) == {"tables": "of another version of this program"}


def test_blobs_that_cannot_be_kept_are_told_and_then_found_well_again(server: Server) -> None:
    served = server.services.settings.served_dir
    shutil.rmtree(served)
    assert parts(server, 503) == {"blobs": "cannot be written"}
    served.mkdir()
    assert parts(server, 200) == {}


def test_a_writer_that_is_held_up_is_slow(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "WRITE_TIMEOUT_S", 0.01)
    gate = threading.Event()
    held = server.services.database.submit(lambda _connection: gate.wait(60))
    assert parts(server, 503) == {"database": "slow"}
    gate.set()
    assert held.result(60)


def test_a_stopping_server_is_not_ready_but_lives(server: Server) -> None:
    server.services.feed.close()
    assert parts(server, 503) == {"server": "stopping"}
    assert server.client.get("/health/live").status_code == 200


def test_a_thread_that_is_gone_is_told(server: Server) -> None:
    server.services.jobs.postman.stop()
    response = server.client.get("/health/live")
    assert (response.status_code, response.json()) == (503, {"live": False, "gone": ["postman"]})
    assert parts(server, 503) == {"threads": "gone"}


def test_it_looks_once_for_many_who_ask(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "CHECK_EVERY_S", 3600.0)
    assert parts(server, 200) == {}
    server.services.feed.close()
    assert parts(server, 200) == {}, "what was found a moment ago"
