# SPDX-License-Identifier: Apache-2.0
"""Processes on one PostgreSQL tell each other what has happened, and look once after they could not hear."""

from __future__ import annotations

import asyncio
import queue
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from sqlalchemy.engine import URL

from ota_server.storage.engine import connect_alone
from ota_server.storage.relay import Heard, PostgreSqlRelay
from tests.ota_server import keys
from tests.ota_server.conftest import HandClock, make_settings, run_server
from tests.ota_server.postgresql import PostgreSql

WAIT_S = 30


@pytest.fixture(scope="module")
def url(postgresql: PostgreSql) -> Iterator[URL]:
    with postgresql.database() as url:
        yield url


class Ear:
    """One process: what it hears under the name "product"."""

    def __init__(self, url: URL) -> None:
        self.heard: queue.Queue[str] = queue.Queue()
        self.relay = PostgreSqlRelay(url)
        self.tell: Heard = self.relay.join("product", self.heard.put)

    def next(self) -> str:
        return self.heard.get(timeout=WAIT_S)


@contextmanager
def listening(url: URL, lock: int | None = None) -> Iterator[Ear]:
    ear = Ear(url)
    ear.relay.start(lock)
    try:
        # It looks once when it begins.
        assert ear.next() == ""
        yield ear
    finally:
        ear.relay.stop()


def test_others_hear_what_one_tells_and_it_hears_none_of_it_itself(url: URL) -> None:
    with listening(url) as one, listening(url) as two, listening(url) as three:
        one.tell("7")
        assert (two.next(), three.next()) == ("7", "7")
        two.tell("8")
        assert (one.next(), three.next()) == ("8", "8")
        assert one.heard.empty()


def test_what_is_told_again_and_again_is_heard_seldom(url: URL) -> None:
    with listening(url) as one, listening(url) as two:
        for _ in range(20):
            for number in range(50):
                one.tell(str(number))
        one.tell("last")
        heard: list[str] = []
        while not heard or heard[-1] != "last":
            heard.append(two.next())
        assert set(map(str, range(50))) <= set(heard)
        assert len(heard) < 500


def test_who_could_not_hear_for_a_while_looks_once_and_hears_again(url: URL, postgresql: PostgreSql) -> None:
    with listening(url, 6) as one, listening(url, 6) as two:
        postgresql.do("SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'")
        assert (one.next(), two.next()) == ("", "")
        two.tell("9")
        assert one.next() == "9"


def test_lock_is_held_as_long_as_it_listens(url: URL) -> None:
    def is_free() -> bool:
        with closing(connect_alone(url)) as connection:
            row = connection.execute("SELECT pg_try_advisory_lock(5)").fetchone()
            assert row is not None
            return bool(row[0])

    with listening(url, 5), listening(url, 5):
        assert not is_free()
    assert is_free()


def test_what_one_server_changes_is_heard_at_another(url: URL, tmp_path: Path, clock: HandClock) -> None:
    running = contextmanager(run_server)
    with running(make_settings(tmp_path / "one", database=url), clock) as one:
        one.product()
        with running(make_settings(tmp_path / "two", database=url), clock, one.token) as two:
            feed = two.services.feed
            seen = feed.count([keys.PRODUCT])
            one.api("PUT", f"/products/{keys.PRODUCT}", json={"product": {"description": "warm"}})
            assert asyncio.run(feed.wait([keys.PRODUCT], seen, WAIT_S)) > seen
