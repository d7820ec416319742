# SPDX-License-Identifier: Apache-2.0
"""What a check of the database finds, and the check that the database itself can do."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import Connection


@dataclass(frozen=True, slots=True)
class Difference:
    """Something that is not as it must be.

    Attributes:
        place: whose fact it is, such as `rollout 3`.
        text: what is wrong with it, with both numbers where two differ.
    """

    place: str
    text: str


def check_storage(connection: Connection) -> Iterator[Difference]:
    """Asks SQLite whether its file is whole and no row refers to nothing. PostgreSQL holds both by itself."""
    if connection.dialect.name != "sqlite":
        return
    for line in connection.exec_driver_sql("PRAGMA integrity_check").scalars():
        if line != "ok":
            yield Difference("the database's file", line)
    for table, row, parent, _ in connection.exec_driver_sql("PRAGMA foreign_key_check"):
        yield Difference(f"{table} {row}", f"it refers to a row of {parent} that is not there")
