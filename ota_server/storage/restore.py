# SPDX-License-Identifier: Apache-2.0
"""Notices that the database is not the one that servers used last, so that no session key is used twice.

The last server of a database that stops leaves the same random token inside of it and outside (in the data folder, or
beside the blobs); the first one that starts uses both up. A database that was restored from a backup, or whose last
server was killed, has no matching pair: then every session is dropped and devices open new ones. Otherwise a counter
could be answered twice under one key, which would give the key stream away. A server that starts or stops while others
serve changes nothing: they vouch for the sessions.

On PostgreSQL a server is one that serves as long as it holds a lock, which goes with its process or its connection.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import psycopg
from sqlalchemy import Column, Connection, Integer, LargeBinary, Table, delete, insert, select
from sqlalchemy.engine import URL

from muster.errors import EnvironmentFault
from ota_server.storage.engine import connect_alone, describe
from ota_server.storage.files import sync_folder, write_whole
from ota_server.storage.schema import metadata

stop_tokens = Table(
    "stop_tokens",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("token", LargeBinary(16), nullable=False),
)

TOKEN_FILE = "stop-token"  # noqa: S105  # a file's name
SERVING, CHANGING = 0x6D7573746501, 0x6D7573746502
"""The advisory locks of servers that serve (shared), and of one that starts or stops (alone)."""


class TokenPlace(Protocol):
    """Where the outside half of a stop token is kept: not in the database, nor in its backup."""

    def take_token(self) -> bytes | None:
        """Uses the half up."""

    def keep_token(self, token: bytes) -> None:
        """Keeps it for the next start."""


class TokenFile:
    """In a file of the data folder."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / TOKEN_FILE

    def take_token(self) -> bytes | None:
        token = self._path.read_bytes() if self._path.exists() else None
        self._path.unlink(missing_ok=True)
        sync_folder(self._path.parent)
        return token

    def keep_token(self, token: bytes) -> None:
        write_whole(self._path, token)


@contextmanager
def changing(url: URL) -> Iterator[Callable[[], bool]]:
    """While a server starts or stops, no other one does. What it gives says whether no server serves.

    Raises:
        EnvironmentFault: the database cannot be reached.
    """
    if url.get_backend_name() == "sqlite":
        yield lambda: True
        return
    try:
        connection = connect_alone(url)
        with connection:
            connection.execute("SELECT pg_advisory_lock(%s)", (CHANGING,))
            yield lambda: _is_free(connection, SERVING)
    except psycopg.Error as error:
        raise EnvironmentFault(f"cannot use the database: {describe(error)}") from error


def _is_free(connection: psycopg.Connection, lock: int) -> bool:
    row = connection.execute("SELECT pg_try_advisory_lock(%s)", (lock,)).fetchone()
    if row is None or not row[0]:
        return False
    connection.execute("SELECT pg_advisory_unlock(%s)", (lock,))
    return True


def write_stop_token(connection: Connection) -> bytes:
    """Writes the database's half of a clean stop; it is kept outside after the commit.

    cut: without the outer half the next start drops the sessions, which is always safe.
    """
    token = os.urandom(16)
    connection.execute(delete(stop_tokens))
    connection.execute(insert(stop_tokens).values(id=1, token=token))
    return token


def take_stop_token(connection: Connection, outside: bytes | None) -> bool:
    """Uses the inner half up; True when this is the database that was stopped last.

    cut: with the outer half taken and the row still there the pair does not match: sessions are dropped.
    """
    inside = connection.execute(select(stop_tokens.c.token)).scalar_one_or_none()
    connection.execute(delete(stop_tokens))
    return inside is not None and inside == outside
