# SPDX-License-Identifier: Apache-2.0
"""Statements that the two databases have, and SQLAlchemy writes for each of them apart."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import Connection, Table
from sqlalchemy.dialects import postgresql, sqlite


def insert_once(connection: Connection, table: Table, values: Mapping[str, object]) -> bool:
    """Adds a row unless one with the same unique columns is there; says whether it was added."""
    make = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    statement: postgresql.Insert | sqlite.Insert = make(table)
    statement = statement.values(**values).on_conflict_do_nothing().execution_options(preserve_rowcount=True)
    return connection.execute(statement).rowcount == 1
