# SPDX-License-Identifier: Apache-2.0
"""The database: many readers, one writer thread that commits in groups.

Every write is a job: a function of a connection. Jobs that queue up while a commit is under way go into the next one
together. A job's result is handed out only after the commit that holds it; a job that raises is rolled back alone.
On PostgreSQL other processes write too: what met with one of them is rolled back and done again, alone. So a job may be
run twice, and changes nothing but the database.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import TypeVar

from sqlalchemy import Connection
from sqlalchemy.engine import URL
from sqlalchemy.exc import SQLAlchemyError

from ota_server.errors import Unavailable
from ota_server.observe.measures import DatabaseMeasures
from ota_server.observe.request_id import CURRENT
from ota_server.storage.engine import Use, describe, is_conflict, is_outage, lock_writers, make_engine

T = TypeVar("T")

BATCH_MAX = 256
"""Most jobs in one commit: bounds how long the first of them waits."""
QUEUE_MAX = 4096
"""Most jobs that wait; beyond it the server says 503 rather than growing."""


BATCH_WEIGHT = 0.1
"""Of the newest commit in how long commits take."""

_logger = logging.getLogger("ota_server.storage")


class _Conflict(Exception):
    """Another process was in the way: the batch is to be done again."""


class _Job:
    """A write that waits for its commit."""

    __slots__ = ("_error", "_future", "_outcome", "_request_id", "_work")

    def __init__(self, work: Callable[[Connection], object], future: Future[object]) -> None:
        self._work = work
        self._future = future
        self._request_id = CURRENT.get()
        self._outcome: object = None
        self._error: Exception | None = None

    def begin(self) -> bool:
        """False when nobody waits for it any more."""
        return self._future.set_running_or_notify_cancel()

    def run(self, connection: Connection, is_alone: bool) -> None:
        """Runs inside a savepoint. What the work raises is kept for the caller, unless doing it again may help."""
        self._outcome = self._error = None
        CURRENT.set(self._request_id)
        connection.exec_driver_sql("SAVEPOINT job")
        try:
            self._outcome = self._work(connection)
        # The error is the caller's, whatever it is: it is handed over whole and raised there.
        except Exception as error:
            if is_conflict(error) and not is_alone:
                raise _Conflict from error
            connection.exec_driver_sql("ROLLBACK TO job")
            self._error = Unavailable("the write took too long: come back later") if is_outage(error) else error
        connection.exec_driver_sql("RELEASE job")

    def committed(self) -> None:
        if self._error is None:
            self._future.set_result(self._outcome)
        else:
            self._future.set_exception(self._error)

    def lost(self, error: Exception) -> None:
        self._future.set_exception(error)


class Database:
    """The engine for readers and the thread that writes. `close` it to stop the thread.

    Args:
        url: where it is (its tables are made by `storage.migrate`).
    """

    def __init__(self, url: URL) -> None:
        self._readers = make_engine(url, Use.READ)
        self._writer_engine = make_engine(url, Use.WRITE)
        self.measures = DatabaseMeasures()
        self._queue: queue.Queue[_Job | None] = queue.Queue(QUEUE_MAX)
        self._batch_s = 0.0
        self._began: float | None = None
        self._thread = threading.Thread(target=self._write_loop, name="writer", daemon=True)
        self._thread.start()

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A connection with one consistent view; it must not write.

        Raises:
            Unavailable: the database cannot be reached.
        """
        try:
            with self._readers.connect() as connection:
                yield connection
        except SQLAlchemyError as error:
            if not is_outage(error):
                raise
            self.measures.errors.labels("read").inc()
            _logger.error("a read failed: %s", describe(error))
            raise Unavailable("the database cannot be used now: come back later") from error

    def submit(self, work: Callable[[Connection], T]) -> Future[T]:
        """Queues a write. The future is done after its commit, or with what `work` raised.

        Raises:
            Unavailable: too many wait.
        """
        future: Future[T] = Future()
        try:
            self._queue.put_nowait(_Job(work, future))  # type: ignore[arg-type]  # Future is invariant in its result
        except queue.Full as error:
            raise Unavailable("too much to do: come back later") from error
        return future

    def write(self, work: Callable[[Connection], T]) -> T:
        """The same, waited for. Not to be called on an event loop's thread."""
        return self.submit(work).result()

    @property
    def waiting(self) -> int:
        """Writes that wait for a commit, about."""
        return self._queue.qsize()

    @property
    def wait_s(self) -> float:
        """How long a write that is queued now will wait for its commit, about: by how long the last ones took."""
        began = self._began
        running_s = 0.0 if began is None else time.perf_counter() - began
        return max(running_s, self._batch_s * self._queue.qsize() / BATCH_MAX)

    @property
    def is_writing(self) -> bool:
        """Whether the writer is there."""
        return self._thread.is_alive()

    def close(self) -> None:
        """Commits what waits and stops the writer."""
        self._queue.put(None)
        self._thread.join()
        self._writer_engine.dispose()
        self._readers.dispose()

    def _write_loop(self) -> None:
        going_on = True
        while going_on:
            batch, going_on = self._next_batch()
            batch = [job for job in batch if job.begin()]
            if batch:
                self._write_batch(batch)
                self._began = None
                CURRENT.set("")

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

    def _write_batch(self, batch: list[_Job]) -> None:
        began = self._began = time.perf_counter()
        try:
            try:
                self._commit(batch, is_alone=False)
            except _Conflict:
                self._commit(batch, is_alone=True)
        # The batch failed as a whole (disk full, connection lost): nobody may be told that anything was kept.
        except Exception as error:
            self.measures.errors.labels("commit").inc()
            _logger.error("a commit failed: %s", describe(error))
            for job in batch:
                job.lost(Unavailable("the database failed: look whether this was kept before it is tried again"))
            return
        took_s = time.perf_counter() - began
        self._batch_s += (took_s - self._batch_s) * BATCH_WEIGHT
        self.measures.commit_s.observe(took_s)
        self.measures.commit_jobs.observe(len(batch))
        for job in batch:
            job.committed()

    def _commit(self, batch: list[_Job], is_alone: bool) -> None:
        """Runs and commits a batch. Raises _Conflict when nothing was kept and another try may succeed."""
        try:
            with self._writer_engine.begin() as connection:
                lock_writers(connection, is_alone)
                for job in batch:
                    job.run(connection, is_alone)
        except SQLAlchemyError as error:
            if is_conflict(error) and not is_alone:
                raise _Conflict from error
            raise
