# SPDX-License-Identifier: Apache-2.0
"""Notices that the database is not the one that was stopped, so that no session key is used twice.

A clean stop leaves the same random token in the database and in a file beside it; a start uses both up. A database that
was restored from a backup, or a server that was killed, has no matching pair: then every session is dropped and devices
open new ones. Otherwise a counter could be answered twice under one key, which would give the key stream away.
"""

from __future__ import annotations

import os
from pathlib import Path

from sqlalchemy import Column, Connection, Integer, LargeBinary, Table, delete, insert, select

from ota_server.storage.blobs import sync_folder
from ota_server.storage.schema import metadata

stop_tokens = Table(
    "stop_tokens",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("token", LargeBinary(16), nullable=False),
)

TOKEN_FILE = "stop-token"  # noqa: S105  # a file's name


def write_stop_token(connection: Connection) -> bytes:
    """Writes the database's half of a clean stop; `publish_stop_token` writes the other one after the commit."""
    token = os.urandom(16)
    connection.execute(delete(stop_tokens))
    connection.execute(insert(stop_tokens).values(id=1, token=token))
    return token


def publish_stop_token(token: bytes, folder: Path) -> None:
    """Writes the file's half.

    cut: without the file the next start drops the sessions, which is always safe.
    """
    with (folder / TOKEN_FILE).open("wb") as file:
        file.write(token)
        file.flush()
        os.fsync(file.fileno())
    sync_folder(folder)


def take_stop_token(connection: Connection, folder: Path) -> bool:
    """Uses the token up; True when this is the database that was stopped last."""
    path = folder / TOKEN_FILE
    outside = path.read_bytes() if path.exists() else None
    inside = connection.execute(select(stop_tokens.c.token)).scalar_one_or_none()
    # cut: with the file gone and the row still there the pair does not match: sessions are dropped.
    path.unlink(missing_ok=True)
    sync_folder(folder)
    connection.execute(delete(stop_tokens))
    return inside is not None and inside == outside
