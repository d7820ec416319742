# SPDX-License-Identifier: Apache-2.0
"""The two databases: SQLite, and PostgreSQL through psycopg. What they do apart is here and in `sql`."""

from __future__ import annotations

import hashlib
import sqlite3
from enum import Enum
from pathlib import Path
from typing import Any

import psycopg
from psycopg.types.string import StrDumperUnknown
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.pool import ConnectionPoolEntry

from muster.errors import EnvironmentFault, ValueOutOfRange

POSTGRESQL = "postgresql+psycopg"
CONNECT_TIMEOUT_S = 10
LOST_AFTER_S = 30
"""When a connection whose other end is silent is given up."""
READ_TIMEOUT_S, WRITE_TIMEOUT_S = 30, 120
"""Of one statement on PostgreSQL."""
READERS_MAX = 20
_CHECKPOINT_PAGES = 2500
"""Of SQLite's log, 10 MB: a page that many check-ins write goes into the database once for all of them."""
_CONNECT: dict[str, Any] = {
    "client_encoding": "utf8",
    "connect_timeout": CONNECT_TIMEOUT_S,
    "keepalives_idle": LOST_AFTER_S,
    "tcp_user_timeout": LOST_AFTER_S * 1000,
    "application_name": "muster",
}
MIGRATING = 0x6D7573746572
"""The advisory lock of whoever migrates."""


class Use(Enum):
    """What an engine's transactions are for."""

    READ = psycopg.IsolationLevel.REPEATABLE_READ
    """One consistent view."""
    WRITE = psycopg.IsolationLevel.SERIALIZABLE
    """As if there were no other writers, or not at all (docs/decisions/0007-postgresql.md)."""
    MIGRATE = psycopg.IsolationLevel.READ_COMMITTED
    """One at a time: sees what the one before did."""


_CACHE_KIB = {Use.READ: 2 * 1024, Use.WRITE: 128 * 1024, Use.MIGRATE: 64 * 1024}
"""Of pages that a SQLite connection keeps: the writer's hold the upper parts of all indexes of a million devices."""


def sqlite_url(path: Path) -> URL:
    """A database in a file."""
    return URL.create("sqlite", database=str(path))


def parse_url(text: str) -> URL:
    """`postgresql://user@host:port/name`, with what libpq knows as parameters. Raises ValueOutOfRange.

    The error does not repeat the address: a password may be in it.
    """
    try:
        url = make_url(text)
    except (ArgumentError, ValueError) as error:
        raise ValueOutOfRange("the database is no address: postgresql://user@host/name") from error
    if url.drivername not in ("postgresql", "postgres", POSTGRESQL) or not url.database or "password" in url.query:
        raise ValueOutOfRange("the database's address is postgresql://user@host/name")
    return url.set(drivername=POSTGRESQL)


def make_engine(url: URL, use: Use) -> Engine:
    """An engine that is durable at each commit."""
    return _sqlite_engine(url, use) if url.get_backend_name() == "sqlite" else _postgresql_engine(url, use)


def connect_alone(url: URL) -> psycopg.Connection:
    """A connection of its own, without transactions, to PostgreSQL: for locks and LISTEN. Raises psycopg.Error."""
    address = url.set(drivername="postgresql").render_as_string(hide_password=False)
    return psycopg.connect(address, autocommit=True, **_CONNECT)


def is_conflict(error: BaseException) -> bool:
    """Whether another writer was in the way, so that the whole transaction is to be done again (PostgreSQL)."""
    state = getattr(error.orig, "sqlstate", None) if isinstance(error, DBAPIError) else None
    # Serialization failure, deadlock, and a unique row that another transaction made meanwhile.
    return state in ("40001", "40P01", "23505")


def is_outage(error: BaseException) -> bool:
    """Whether the database cannot be reached or cannot work now."""
    if not isinstance(error, DBAPIError):
        return isinstance(error, PoolTimeout)
    if isinstance(error.orig, sqlite3.Error):
        return error.orig.sqlite_errorname.startswith(("SQLITE_BUSY", "SQLITE_CANTOPEN", "SQLITE_FULL", "SQLITE_IOERR"))
    return error.connection_invalidated or isinstance(error, OperationalError)


def describe(error: BaseException) -> str:
    """What a database said, for the log: without the values of rows, which PostgreSQL would add."""
    inner = error.orig if isinstance(error, DBAPIError) else error
    primary = inner.diag.message_primary if isinstance(inner, psycopg.Error) else None
    return f"{type(inner).__name__}: {' '.join(str(primary or inner).split())}"


def check_server(connection: Connection) -> None:
    """Raises EnvironmentFault when a PostgreSQL is set up in a way that would lose or garble what it is given."""
    if connection.dialect.name != "postgresql":
        return
    encoding = connection.exec_driver_sql("SHOW server_encoding").scalar()
    if encoding != "UTF8":
        raise EnvironmentFault(f"the database's encoding is {encoding}: make it with `createdb -T template0 -E UTF8`")
    if connection.exec_driver_sql("SHOW fsync").scalar() != "on":
        raise EnvironmentFault("PostgreSQL runs with fsync=off: it would forget what devices were told that it keeps")


def lock_migration(connection: Connection) -> None:
    """Waits until nobody else migrates; held until the transaction's end."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({MIGRATING})")


def lock_writers(connection: Connection, is_alone: bool) -> None:
    """Waits until no writer is alone; if `is_alone`, until there is no other writer. The transaction's first statement.

    LOCK TABLE takes no snapshot: what follows sees what the others committed. SQLite has one writer anyway.
    """
    if connection.dialect.name == "postgresql":
        mode = "EXCLUSIVE" if is_alone else "ROW EXCLUSIVE"
        connection.exec_driver_sql(f"LOCK TABLE stop_tokens IN {mode} MODE")


def _salted_digest(salt: bytes, text: str) -> bytes:
    """For `sql.salted_digest`: SQLite has no hash of its own."""
    return hashlib.sha256(salt + text.encode()).digest()


def _sqlite_engine(url: URL, use: Use) -> Engine:
    """WAL, synchronous=FULL: sqlite.org/wal.html."""
    connect = {"check_same_thread": False, "timeout": 30.0}
    engine = create_engine(url, connect_args=connect, hide_parameters=True)
    # SQLite changes a table by making it anew, which must not remove what refers to it
    # (sqlite.org/lang_altertable.html, section 7).
    checks_references = use is not Use.MIGRATE
    begin = "BEGIN" if use is Use.READ else "BEGIN IMMEDIATE"

    def on_connect(raw: sqlite3.Connection, _entry: ConnectionPoolEntry) -> None:
        # Python's module would begin transactions by itself, and too late for savepoints: we say BEGIN ourselves.
        raw.isolation_level = None
        raw.create_function("salted_digest", 2, _salted_digest, deterministic=True)
        for pragma in (
            "journal_mode=WAL",
            "synchronous=FULL",
            f"wal_autocheckpoint={_CHECKPOINT_PAGES}",
            f"foreign_keys={int(checks_references)}",
            "temp_store=MEMORY",
            f"cache_size=-{_CACHE_KIB[use]}",
        ):
            raw.execute(f"PRAGMA {pragma}")

    def on_begin(connection: Connection) -> None:
        connection.exec_driver_sql(begin)

    event.listen(engine, "connect", on_connect)
    event.listen(engine, "begin", on_begin)
    return engine


def _postgresql_engine(url: URL, use: Use) -> Engine:
    timeout_s = {Use.READ: READ_TIMEOUT_S, Use.WRITE: WRITE_TIMEOUT_S, Use.MIGRATE: 0}[use]
    # An answer that left must stay true: session counters that go back would give key streams away.
    options = f"-c synchronous_commit=on -c statement_timeout={timeout_s * 1000}"
    connect = {**_CONNECT, "options": options}
    engine = create_engine(
        url,
        connect_args=connect,
        hide_parameters=True,
        pool_pre_ping=True,
        pool_timeout=CONNECT_TIMEOUT_S,
        max_overflow=READERS_MAX - 5,
    )

    def on_connect(raw: psycopg.Connection, _entry: ConnectionPoolEntry) -> None:
        raw.isolation_level = use.value
        raw.read_only = use is Use.READ
        raw.adapters.register_dumper(str, _TextDumper)

    event.listen(engine, "connect", on_connect)
    return engine


class _TextDumper(StrDumperUnknown):
    """PostgreSQL keeps no NUL in a text. What a device or a person sent with one is kept with U+FFFD in its place."""

    def dump(self, obj: str) -> bytes | bytearray | memoryview | None:
        return super().dump(obj.replace("\0", "\ufffd"))
