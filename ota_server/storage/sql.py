# SPDX-License-Identifier: Apache-2.0
"""Statements that the two databases have, and SQLAlchemy writes for each of them apart."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import BigInteger, ColumnElement, Connection, LargeBinary, Table, cast, func, literal, or_
from sqlalchemy.dialects import postgresql, sqlite


def insert_once(connection: Connection, table: Table, values: Mapping[str, object]) -> bool:
    """Adds a row unless one with the same unique columns is there; says whether it was added."""
    make = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    statement: postgresql.Insert | sqlite.Insert = make(table)
    statement = statement.values(**values).on_conflict_do_nothing().execution_options(preserve_rowcount=True)
    return connection.execute(statement).rowcount == 1


def has_part(connection: Connection, text: ColumnElement[str], part: str) -> ColumnElement[bool]:
    """Whether a text has a part, in letters of any case; SQLite knows that of ASCII's letters only."""
    if connection.dialect.name == "postgresql":
        # ILIKE takes twice as long.
        return func.lower(text).contains(part.lower(), autoescape=True)
    # LIKE does not look at the case here.
    return text.contains(part, autoescape=True)


def salted_digest(connection: Connection, salt: bytes, text: ColumnElement[str]) -> ColumnElement[bytes]:
    """SHA-256 of a salt and a text."""
    if connection.dialect.name == "postgresql":
        return func.sha256(literal(salt, LargeBinary).op("||")(func.convert_to(text, "UTF8")), type_=LargeBinary)
    return func.salted_digest(salt, text, type_=LargeBinary)


def json_number(connection: Connection, text: ColumnElement[str], key: str) -> ColumnElement[int]:
    """The whole number that an object, as text, has under a key; NULL for none."""
    if connection.dialect.name == "postgresql":
        return cast(cast(text, postgresql.JSONB)[key].astext, BigInteger)
    return func.json_extract(text, f'$."{key}"', type_=BigInteger)


def is_due(at_ms: ColumnElement[int], now_ms: int, ahead_max_ms: int) -> ColumnElement[bool]:
    """Whether a time has come that was set at most so far ahead.

    One that lies farther ahead was set by a clock that went wrong: it would hold its row back for as long.
    """
    return or_(at_ms <= now_ms, at_ms > now_ms + ahead_max_ms)
