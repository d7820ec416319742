# SPDX-License-Identifier: Apache-2.0
"""Tells the other processes on a PostgreSQL database what has happened (LISTEN/NOTIFY), over one connection.

What is told is a hint: whoever hears it looks into the database. So nothing is lost with a connection, if everybody
looks once when it is there again. On SQLite there is no other process.
"""

from __future__ import annotations

import logging
import os
import select
import threading
import time
from collections.abc import Callable
from typing import Protocol

import psycopg
from sqlalchemy.engine import URL

from ota_server.storage.engine import connect_alone, describe

Heard = Callable[[str], None]
"""Is called with what was told, or with "" when something may have been missed. Must not block."""

CHANNEL = "muster"
PAUSE_S = 0.05
"""Between two tellings: what is told in between goes together, each thing once."""
RETRY_S = 1.0
CHECK_S = 30.0
"""How often a silent connection is tried."""
WAITING_MAX = 1000
BEGIN_S = 10.0
"""How long a start waits for the connection; without it the server works, and hears the others later."""

_logger = logging.getLogger("ota_server.relay")


class Relay(Protocol):
    """What processes tell each other."""

    def join(self, name: str, heard: Heard) -> Heard:
        """`heard` gets what others tell under a name; returns what tells it to them. To be called before `start`."""

    def start(self, lock: int | None = None) -> None:
        """Begins to listen; holds a shared advisory lock as long as it does."""

    def stop(self) -> None:
        """Tells and hears no more."""


class Alone:
    """Of the only process."""

    def join(self, name: str, heard: Heard) -> Heard:
        del name, heard
        return lambda _text: None

    def start(self, lock: int | None = None) -> None:
        pass

    def stop(self) -> None:
        pass


class PostgreSqlRelay:
    """Of one process of several. Its thread owns the connection, and makes another one when it is lost."""

    def __init__(self, url: URL) -> None:
        self._url = url
        self._heard: dict[str, Heard] = {}
        self._lock = threading.Lock()
        self._waiting: dict[str, None] = {}
        self._lock_held: int | None = None
        self._has_begun = threading.Event()
        self._is_stopping = False
        self._wake_reader, self._wake_writer = os.pipe()
        self._thread = threading.Thread(target=self._run, name="relay", daemon=True)

    def join(self, name: str, heard: Heard) -> Heard:
        self._heard[name] = heard
        return lambda text: self._tell(f"{name} {text}")

    def start(self, lock: int | None = None) -> None:
        self._lock_held = lock
        self._thread.start()
        self._has_begun.wait(BEGIN_S)

    def stop(self) -> None:
        with self._lock:
            self._is_stopping = True
            os.write(self._wake_writer, b"!")
        if self._thread.ident is not None:
            self._thread.join()
        os.close(self._wake_reader)
        os.close(self._wake_writer)

    def _tell(self, line: str) -> None:
        with self._lock:
            is_first = not self._waiting
            # While the database is away, this does not grow: whoever comes back looks anyway.
            if len(self._waiting) < WAITING_MAX:
                self._waiting[line] = None
            # Last: who is woken looks at once.
            if is_first and not self._is_stopping:
                os.write(self._wake_writer, b"!")

    def _run(self) -> None:
        while not self._is_stopping:
            try:
                with connect_alone(self._url) as connection:
                    if self._lock_held is not None:
                        connection.execute("SELECT pg_advisory_lock_shared(%s)", (self._lock_held,))
                    connection.execute(f"LISTEN {CHANNEL}".encode())
                    self._has_begun.set()
                    # Whatever was told before, or while the connection was lost, was missed.
                    for heard in self._heard.values():
                        heard("")
                    self._serve(connection)
                    # Now, not when the database notices that the connection is gone.
                    connection.execute("SELECT pg_advisory_unlock_all()")
            except psycopg.Error as error:
                _logger.warning("cannot hear other processes: %s", describe(error))
                select.select([self._wake_reader], [], [], RETRY_S)
                self._drain()

    def _serve(self, connection: psycopg.Connection) -> None:
        """Tells and hears until it is to stop. Raises psycopg.Error when the connection is lost."""
        own = connection.info.backend_pid

        def hear(notice: psycopg.Notify) -> None:
            name, _, text = notice.payload.partition(" ")
            if notice.pid != own and name in self._heard:
                self._heard[name](text)

        # For what comes beside the answer to a statement.
        connection.add_notify_handler(hear)
        told_at = 0.0
        while not self._is_stopping:
            pause_s = max(told_at + PAUSE_S - time.monotonic(), 0)
            if self._waiting and not pause_s:
                self._tell_all(connection)
                told_at = time.monotonic()
            else:
                self._await(connection, pause_s)
            connection.pgconn.consume_input()
            while (found := connection.pgconn.notifies()) is not None:
                hear(psycopg.Notify(found.relname.decode(), found.extra.decode(), found.be_pid))

    def _await(self, connection: psycopg.Connection, pause_s: float) -> None:
        """Until somebody has told something, here or there."""
        handles = [connection.fileno()] if self._waiting else [connection.fileno(), self._wake_reader]
        ready, _, _ = select.select(handles, [], [], pause_s if self._waiting else CHECK_S)
        if self._wake_reader in ready:
            self._drain()
        elif not ready and not self._waiting:
            connection.execute("SELECT 1")

    def _tell_all(self, connection: psycopg.Connection) -> None:
        with self._lock:
            lines, self._waiting = self._waiting, {}
        connection.execute(
            "SELECT pg_notify(%s, line) FROM unnest(%s::text[]) AS line", (CHANNEL, list(lines)), prepare=True
        )

    def _drain(self) -> None:
        while select.select([self._wake_reader], [], [], 0)[0]:
            os.read(self._wake_reader, 4096)


def open_relay(url: URL) -> Relay:
    """What the processes on a database tell each other with."""
    return Alone() if url.get_backend_name() == "sqlite" else PostgreSqlRelay(url)
