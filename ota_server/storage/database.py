# SPDX-License-Identifier: Apache-2.0
"""The SQLite database: many readers, one writer thread that commits in groups.

Every write is a job: a function of a connection. Jobs that queue up while a commit is under way go into the next one
together. A job's result is handed out only after the commit that holds it; a job that raises is rolled back alone.
"""

from __future__ import annotations

import queue
import sqlite3
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.pool import ConnectionPoolEntry

T = TypeVar("T")

BATCH_MAX = 256
"""Most jobs in one commit: bounds how long the first of them waits."""
QUEUE_MAX = 4096
"""Most jobs that wait; beyond it the server says 503 rather than growing."""


class Overloaded(Exception):
    """So many writes wait that another one is refused."""


class _Job:
    """A write that waits for its commit."""

    __slots__ = ("_future", "_outcome", "_work")

    def __init__(self, work: Callable[[Connection], object], future: Future[object]) -> None:
        self._work = work
        self._future = future
        self._outcome: object = None

    def run(self, connection: Connection) -> bool:
        """Runs inside a savepoint; False when the job raised and its future is answered already."""
        if not self._future.set_running_or_notify_cancel():
            return False
        connection.exec_driver_sql("SAVEPOINT job")
        try:
            self._outcome = self._work(connection)
        # The error is the caller's, whatever it is: it is handed over whole and raised there.
        except Exception as error:
            connection.exec_driver_sql("ROLLBACK TO job")
            connection.exec_driver_sql("RELEASE job")
            self._future.set_exception(error)
            return False
        connection.exec_driver_sql("RELEASE job")
        return True

    def committed(self) -> None:
        self._future.set_result(self._outcome)

    def lost(self, error: Exception) -> None:
        if not self._future.done():
            self._future.set_exception(error)


class Database:
    """The engine for readers and the thread that writes. `close` it to stop the thread.

    Args:
        path: the database file; it is made when missing (its tables by `storage.migrate`).
    """

    def __init__(self, path: Path) -> None:
        self._readers = make_engine(path, begin="BEGIN")
        self._writer_engine = make_engine(path, begin="BEGIN IMMEDIATE")
        self._queue: queue.Queue[_Job | None] = queue.Queue(QUEUE_MAX)
        self._thread = threading.Thread(target=self._write_loop, name="writer", daemon=True)
        self._thread.start()

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A connection with one consistent view; it must not write."""
        with self._readers.connect() as connection:
            yield connection

    def submit(self, work: Callable[[Connection], T]) -> Future[T]:
        """Queues a write. The future is done after its commit, or with what `work` raised.

        Raises:
            Overloaded: too many wait.
        """
        future: Future[T] = Future()
        try:
            self._queue.put_nowait(_Job(work, future))  # type: ignore[arg-type]  # Future is invariant in its result
        except queue.Full as error:
            raise Overloaded from error
        return future

    def write(self, work: Callable[[Connection], T]) -> T:
        """The same, waited for. Not to be called on an event loop's thread."""
        return self.submit(work).result()

    def close(self) -> None:
        """Commits what waits and stops the writer."""
        self._queue.put(None)
        self._thread.join()
        self._writer_engine.dispose()
        self._readers.dispose()

    def _write_loop(self) -> None:
        with self._writer_engine.connect() as connection:
            going_on = True
            while going_on:
                batch, going_on = self._next_batch()
                if batch:
                    self._commit(connection, batch)

    def _next_batch(self) -> tuple[list[_Job], bool]:
        batch: list[_Job] = []
        job = self._queue.get()
        while job is not None:
            batch.append(job)
            if len(batch) >= BATCH_MAX:
                return batch, True
            try:
                job = self._queue.get_nowait()
            except queue.Empty:
                return batch, True
        return batch, False

    def _commit(self, connection: Connection, batch: list[_Job]) -> None:
        held: list[_Job] = []
        try:
            with connection.begin():
                for job in batch:
                    if job.run(connection):
                        held.append(job)
        # The batch failed as a whole (disk full, I/O error): nobody may be told that anything was kept.
        except Exception as error:
            for job in batch:
                job.lost(error)
            return
        for job in held:
            job.committed()


def make_engine(path: Path, begin: str, checks_references: bool = True) -> Engine:
    """An engine on one SQLite file, durable at each commit (WAL, synchronous=FULL: sqlite.org/wal.html).

    `checks_references`: whether foreign keys are held at each statement.
    """
    engine = create_engine(f"sqlite:///{path}", connect_args={"check_same_thread": False, "timeout": 30.0})

    def on_connect(raw: sqlite3.Connection, _entry: ConnectionPoolEntry) -> None:
        # Python's module would begin transactions by itself, and too late for savepoints: we say BEGIN ourselves.
        raw.isolation_level = None
        for pragma in (
            "journal_mode=WAL",
            "synchronous=FULL",
            f"foreign_keys={int(checks_references)}",
            "temp_store=MEMORY",
        ):
            raw.execute(f"PRAGMA {pragma}")

    def on_begin(connection: Connection) -> None:
        connection.exec_driver_sql(begin)

    event.listen(engine, "connect", on_connect)
    event.listen(engine, "begin", on_begin)
    return engine
