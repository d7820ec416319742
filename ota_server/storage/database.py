# SPDX-License-Identifier: Apache-2.0
"""The database: many readers, one writer thread that commits in groups.

Every write is a job: a function of a connection. Jobs that queue up while a commit is under way go into the next one
together; those of a kind that knows how are done with few statements for all of them. A job's result is handed out only
after the commit that holds it; a job that raises is rolled back alone.
On PostgreSQL other processes write too: what met with one of them is rolled back and done again, alone. So a job may be
run twice, and changes nothing but the database.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import queue
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any, Protocol, TypeVar

from sqlalchemy import Connection
from sqlalchemy.engine import URL
from sqlalchemy.exc import SQLAlchemyError

from ota_server.errors import Unavailable
from ota_server.observe.measures import DatabaseMeasures
from ota_server.observe.request_id import CURRENT
from ota_server.storage.engine import Use, describe, is_conflict, is_outage, lock_writers, make_engine

T = TypeVar("T")
Item = TypeVar("Item", contravariant=True)
Outcome = TypeVar("Outcome", covariant=True)

BATCH_MAX = 256
"""Most jobs in one commit: bounds how long the first of them waits."""
QUEUE_MAX = 4096
"""Most jobs that wait, about; beyond it the server says 503 rather than growing."""


BATCH_WEIGHT = 0.1
"""Of the newest commit in how long commits take."""

_logger = logging.getLogger("ota_server.storage")


class _Conflict(Exception):
    """Another process was in the way: the batch is to be done again."""


class Together(Protocol[Item, Outcome]):
    """Work on items of one kind, which a batch does with few statements for all of them."""

    def take_together(self, connection: Connection, items: Sequence[Item]) -> Sequence[Outcome | Exception | None]:
        """What comes of each item: what it is told, or is refused with; None: take it by itself, afterwards.

        If it raises, nothing of it is kept, and each item is taken by itself.
        """

    def take(self, connection: Connection, item: Item) -> Outcome:
        """One item by itself."""


class _Job:
    """A write that waits for its commit.

    Attributes:
        together, item: set where it is one of a kind that is done together.
        loop: where its future is set; None: anywhere.
    """

    __slots__ = ("_error", "_future", "_outcome", "_request_id", "_work", "item", "loop", "together")

    def __init__(
        self,
        work: Callable[[Connection], object],
        future: Future[object] | asyncio.Future[object],
        loop: asyncio.AbstractEventLoop | None = None,
        together: Together[Any, Any] | None = None,
        item: object = None,
    ) -> None:
        self._work = work
        self._future = future
        self._request_id = CURRENT.get()
        self.loop = loop
        self.together = together
        self.item = item
        self._outcome: object = None
        self._error: Exception | None = None

    def begin(self) -> bool:
        """False when nobody waits for it any more."""
        if isinstance(self._future, Future):
            return self._future.set_running_or_notify_cancel()
        return not self._future.cancelled()

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

    def done(self, outcome: object) -> None:
        """Takes what was done together with others."""
        self._outcome, self._error = (None, outcome) if isinstance(outcome, Exception) else (outcome, None)

    def lost(self, error: Exception) -> None:
        self._error = error

    def tell(self) -> None:
        if self._future.cancelled():
            return
        if self._error is None:
            self._future.set_result(self._outcome)
        else:
            self._future.set_exception(self._error)


class Database:
    """The engine for readers and the thread that writes. `close` it to stop the thread.

    Args:
        url: where it is (its tables are made by `storage.migrate`).
    """

    def __init__(self, url: URL) -> None:
        self._readers = make_engine(url, Use.READ)
        self._writer_engine = make_engine(url, Use.WRITE)
        self.measures = DatabaseMeasures()
        self._queue: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._has_failed = False
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
        self._put(_Job(work, future))  # type: ignore[arg-type]  # Future is invariant in its result
        return future

    def submit_together(self, together: Together[Item, Outcome], item: Item) -> asyncio.Future[Outcome]:
        """The same for an item of a kind, from an event loop's thread.

        Raises:
            Unavailable: too many wait.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Any] = loop.create_future()
        self._put(_Job(lambda connection: together.take(connection, item), future, loop, together, item))
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

    def _put(self, job: _Job) -> None:
        if self._queue.qsize() >= QUEUE_MAX:
            raise Unavailable("too much to do: come back later")
        self._queue.put(job)

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
            self._has_failed = True
            _logger.error("a commit failed: %s", describe(error))
            for job in batch:
                job.lost(Unavailable("the database failed: look whether this was kept before it is tried again"))
            _tell(batch)
            return
        if self._has_failed:
            self._has_failed = False
            _logger.warning("commits succeed again")
        took_s = time.perf_counter() - began
        self._batch_s += (took_s - self._batch_s) * BATCH_WEIGHT
        self.measures.commit_s.observe(took_s)
        self.measures.commit_jobs.observe(len(batch))
        _tell(batch)

    def _commit(self, batch: list[_Job], is_alone: bool) -> None:
        """Runs and commits a batch. Raises _Conflict when nothing was kept and another try may succeed."""
        try:
            with self._writer_engine.begin() as connection:
                lock_writers(connection, is_alone)
                for job in _run_together(connection, batch, is_alone):
                    job.run(connection, is_alone)
        except SQLAlchemyError as error:
            if is_conflict(error) and not is_alone:
                raise _Conflict from error
            raise


def _run_together(connection: Connection, batch: list[_Job], is_alone: bool) -> list[_Job]:
    """Does what can be done together, in a savepoint for each kind; returns the jobs that are left."""
    left = [job for job in batch if job.together is None]
    kinds: dict[Together[Any, Any], list[_Job]] = {}
    for job in batch:
        if job.together is not None:
            kinds.setdefault(job.together, []).append(job)
    for together, jobs in kinds.items():
        CURRENT.set("")
        connection.exec_driver_sql("SAVEPOINT together")
        try:
            outcomes = together.take_together(connection, [job.item for job in jobs])
        # One of them is at fault, and by itself it fails alone.
        except Exception as error:
            if is_conflict(error) and not is_alone:
                raise _Conflict from error
            connection.exec_driver_sql("ROLLBACK TO together")
            outcomes = [None] * len(jobs)
        connection.exec_driver_sql("RELEASE together")
        for job, outcome in zip(jobs, outcomes, strict=True):
            if outcome is None:
                left.append(job)
            else:
                job.done(outcome)
    return left


def _tell(batch: list[_Job]) -> None:
    """Sets the futures: those of an event loop all at once, since to wake it costs more than to set one."""
    loops: dict[asyncio.AbstractEventLoop, list[_Job]] = {}
    for job in batch:
        if job.loop is None:
            job.tell()
        else:
            loops.setdefault(job.loop, []).append(job)
    for loop, jobs in loops.items():
        # A loop that closed meanwhile has nobody waiting.
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(_tell_each, jobs)


def _tell_each(jobs: list[_Job]) -> None:
    for job in jobs:
        job.tell()
