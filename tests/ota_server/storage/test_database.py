# SPDX-License-Identifier: Apache-2.0
"""The one writer: jobs in groups, each whole or not at all, told only after the commit."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.engine import URL

from ota_server.errors import Unavailable
from ota_server.storage import database as module
from ota_server.storage.database import Database
from ota_server.storage.engine import sqlite_url
from ota_server.storage.migrate import migrate

pytestmark = pytest.mark.both_databases


@pytest.fixture
def url(tmp_path: Path, database_url: URL | None) -> URL:
    url = database_url or sqlite_url(tmp_path / "x.sqlite3")
    migrate(url)
    return url


@pytest.fixture
def database(url: URL) -> Iterator[Database]:
    made = Database(url)
    made.write(lambda connection: connection.exec_driver_sql("CREATE TABLE t (n INTEGER UNIQUE)"))
    yield made
    made.close()


def add(number: int) -> Callable[[Connection], int]:
    def work(connection: Connection) -> int:
        connection.execute(text("INSERT INTO t VALUES (:number)"), {"number": number})
        if number < 0:
            raise ValueError(number)
        return number

    return work


def rows(database: Database) -> list[int]:
    with database.read() as connection:
        return list(connection.exec_driver_sql("SELECT n FROM t ORDER BY n").scalars())


def hold(database: Database) -> tuple[threading.Event, Future[bool]]:
    """A job that keeps the writer until the event is set, so that others queue up."""
    gate = threading.Event()
    started = threading.Event()

    def work(_connection: Connection) -> bool:
        started.set()
        return gate.wait(60)

    future = database.submit(work)
    assert started.wait(60)
    return gate, future


def test_one_bad_job_does_not_fail_its_batch(database: Database) -> None:
    gate, _ = hold(database)
    futures = [database.submit(add(number)) for number in (1, -2, 3, -4, 5)]
    gate.set()
    assert [future.exception(60) is None for future in futures] == [True, False, True, False, True]
    assert rows(database) == [1, 3, 5]


def test_result_is_told_only_when_it_can_be_read(database: Database) -> None:
    gate, _ = hold(database)
    future = database.submit(add(7))
    assert not future.done()
    gate.set()
    assert future.result(60) == 7
    assert rows(database) == [7]


def test_failed_commit_is_told_to_every_job_of_its_batch(database: Database) -> None:
    gate, _ = hold(database)
    futures: list[Future[Any]] = [database.submit(add(number)) for number in (1, 2)]
    futures.append(database.submit(lambda connection: connection.exec_driver_sql("ROLLBACK")))
    gate.set()
    for future in futures:
        assert future.exception(60) is not None
    assert rows(database) == []
    assert database.write(add(9)) == 9, "and the writer goes on"


def test_writer_says_when_it_has_too_much_to_do(url: URL, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "QUEUE_MAX", 2)
    database = Database(url)
    gate, _ = hold(database)
    for _ in range(2):
        database.submit(lambda _connection: None)
    with pytest.raises(Unavailable):
        database.submit(lambda _connection: None)
    gate.set()
    database.close()


class Halves:
    """Adds even numbers together and leaves odd ones; negative ones make it fail after it has begun."""

    def take_together(self, connection: Connection, items: Sequence[int]) -> list[int | Exception | None]:
        done: list[int | Exception | None] = []
        for number in items:
            if number == 0:
                done.append(LookupError("zero"))
            else:
                done.append(None if number % 2 else add(number)(connection))
        return done

    def take(self, connection: Connection, item: int) -> int:
        return add(item)(connection) + 1000


def together(database: Database, *numbers: int) -> list[int | BaseException]:
    """What comes of items that are in one batch."""

    async def ask() -> list[int | BaseException]:
        gate, _ = hold(database)
        halves = Halves()
        futures = [database.submit_together(halves, number) for number in numbers]
        gate.set()
        return await asyncio.gather(*futures, return_exceptions=True)

    return asyncio.run(ask())


def test_items_of_a_kind_are_done_together_and_those_it_leaves_by_themselves(database: Database) -> None:
    found = together(database, 2, 3, 0, 4)
    assert found[:2] == [2, 1003]
    assert isinstance(found[2], LookupError)
    assert found[3] == 4
    assert rows(database) == [2, 3, 4]


def test_item_that_makes_its_kind_fail_fails_alone(database: Database) -> None:
    found = together(database, 2, -4, 6)
    assert (found[0], found[2]) == (1002, 1006), "kept once, each by itself"
    assert isinstance(found[1], ValueError)
    assert rows(database) == [2, 6]
