# SPDX-License-Identifier: Apache-2.0
"""Statements that the two databases have, and SQLAlchemy writes for each of them apart."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Connection,
    Dialect,
    LargeBinary,
    ScalarSelect,
    Table,
    Text,
    and_,
    any_,
    bindparam,
    cast,
    func,
    literal,
    or_,
)
from sqlalchemy.dialects import postgresql, sqlite


def insert_once(
    connection: Connection,
    table: Table,
    values: Mapping[str, object],
    computed: tuple[tuple[str, ColumnElement[Any] | ScalarSelect[Any]], ...] = (),
) -> bool:
    """Adds a row unless one with the same unique columns is there; says whether it was added.

    Args:
        values: by column; also of what `computed` is bound to.
        computed: columns that the database computes.
    """
    return connection.execute(_insert_once(connection.dialect.name, table, computed), values).rowcount == 1


@lru_cache(maxsize=64)
def _insert_once(
    dialect: str, table: Table, computed: tuple[tuple[str, ColumnElement[Any] | ScalarSelect[Any]], ...]
) -> postgresql.Insert | sqlite.Insert:
    make = postgresql.insert if dialect == "postgresql" else sqlite.insert
    statement: postgresql.Insert | sqlite.Insert = make(table)
    if computed:
        statement = statement.values(**dict(computed))
    return statement.on_conflict_do_nothing().execution_options(preserve_rowcount=True)


def add_up(connection: Connection, table: Table, key: Mapping[str, object], counts: Mapping[str, int]) -> None:
    """Adds to numbers of the row with a primary key, which is made when it is not there."""
    make = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    statement: postgresql.Insert | sqlite.Insert = make(table)
    statement = statement.values(**key, **counts)
    added = {name: table.c[name] + statement.excluded[name] for name in counts}
    connection.execute(statement.on_conflict_do_update(index_elements=list(key), set_=added))


def has_part(connection: Connection, text: ColumnElement[str], part: str) -> ColumnElement[bool]:
    """Whether a text has a part, in letters of any case; SQLite knows that of ASCII's letters only."""
    if connection.dialect.name == "postgresql":
        # ILIKE takes twice as long.
        return func.lower(text).contains(part.lower(), autoescape=True)
    # LIKE does not look at the case here.
    return text.contains(part, autoescape=True)


def begins_with(text: ColumnElement[str], beginning: str) -> ColumnElement[bool]:
    """Whether a text begins so, letter by letter, by an index of it.

    The index must be in the order of code points: SQLite's are, PostgreSQL's in a database of the locale C or C.UTF-8.
    """
    # No text has the last of all code points.
    return and_(text >= beginning, text < f"{beginning}\U0010ffff", text.startswith(beginning, autoescape=True))


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


def update_each(
    connection: Connection, table: Table, rising: str, names: tuple[str, ...], rows: Sequence[tuple[object, ...]]
) -> int:
    """Writes many rows with one statement, each only if that raises one of its columns; returns how many it wrote.

    Args:
        rising: a column that is not NULL.
        names: the other columns that are written.
        rows: primary key, value of `rising`, and one for each of `names`, as the database has them.
    """
    if not rows:
        return 0
    statement = _update_each(table, rising, names, connection.dialect)
    if connection.dialect.name == "postgresql":
        # One statement over arrays: PostgreSQL takes several times as long for one statement a row.
        return connection.exec_driver_sql(statement, tuple(map(array_text, zip(*rows, strict=True)))).rowcount
    arguments = [(*row[1:], row[0], row[1]) for row in rows]
    return connection.exec_driver_sql(statement, arguments).rowcount


def any_of(dialect: str, column: Column[Any]) -> ColumnElement[bool]:
    """Whether a column has one of the values that are executed as `any`: see `any_values`."""
    if dialect == "postgresql":
        return column == any_(cast(bindparam("any", type_=Text), postgresql.ARRAY(column.type)))
    return column.in_(bindparam("any", expanding=True))


def any_values(dialect: str, values: Collection[object]) -> object:
    """Some values, at least one, for `any_of`."""
    if dialect == "postgresql":
        return array_text(values)
    # To a power of two: the database keeps prepared what it has seen, and so sees few forms of it.
    asked = list(values)
    return asked + asked[:1] * ((1 << (len(asked) - 1).bit_length()) - len(asked))


def array_text(values: Iterable[object]) -> str:
    """An array as PostgreSQL writes it (its manual, section 8.15.6): psycopg takes fifty times as long for one."""
    return "{" + ",".join(map(_array_cell, values)) + "}"


def _array_cell(value: object) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, bytes):
        return rf'"\\x{value.hex()}"'
    assert isinstance(value, str)
    return '"' + value.replace("\\", r"\\").replace('"', r"\"") + '"'


@lru_cache(maxsize=64)
def _update_each(table: Table, rising: str, names: tuple[str, ...], dialect: Dialect) -> str:
    (key,) = (column.name for column in table.primary_key)
    written = (rising, *names)
    if dialect.name == "postgresql":
        arrays = ", ".join(f"%s::{table.c[name].type.compile(dialect)}[]" for name in (key, *written))
        values = ", ".join(f"{name} = new.{name}" for name in written)
        source = f"unnest({arrays}) AS new({', '.join((key, *written))})"
        return (
            f"UPDATE {table.name} SET {values} FROM {source} "  # noqa: S608  # names of our own columns
            f"WHERE {table.name}.{key} = new.{key} AND {table.name}.{rising} < new.{rising}"
        )
    values = ", ".join(f"{name} = ?" for name in written)
    return f"UPDATE {table.name} SET {values} WHERE {key} = ? AND {rising} < ?"  # noqa: S608  # the same
