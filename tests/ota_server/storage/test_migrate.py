# SPDX-License-Identifier: Apache-2.0
"""Migrations make exactly the tables that the code names, and keep what is there."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Enum, MetaData, Table, func, insert, inspect, select, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError

from ota_server.audit import store as audit
from ota_server.audit.models import Filter
from ota_server.organizations import store as organizations
from ota_server.organizations.roles import Role
from ota_server.products import store as products
from ota_server.storage.engine import Use, make_engine, sqlite_url
from ota_server.storage.migrate import SCRIPTS, migrate
from ota_server.storage.tables import metadata
from tests.ota_server.postgresql import PostgreSql

REVISIONS = [script.revision for script in ScriptDirectory(str(SCRIPTS)).walk_revisions()][::-1]


@pytest.fixture(params=["sqlite", "postgresql"])
def empty(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[URL]:
    """A database without tables."""
    if request.param == "sqlite":
        yield sqlite_url(tmp_path / "new.sqlite3")
    else:
        server: PostgreSql = request.getfixturevalue("postgresql")
        with server.database(is_migrated=False) as url:
            yield url


@contextmanager
def connect(url: URL, use: Use = Use.READ) -> Iterator[Connection]:
    engine = make_engine(url, use)
    try:
        with engine.begin() as connection:
            yield connection
    finally:
        engine.dispose()


def test_migrated_database_has_the_tables_of_the_code(empty: URL) -> None:
    migrate(empty)
    migrate(empty)
    with connect(empty) as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
        assert set(inspect(connection).get_table_names()) == set(metadata.tables) | {"alembic_version"}
        for table in metadata.tables.values():
            held = {check["name"] for check in inspect(connection).get_check_constraints(table.name)}
            statuses = [column.type for column in table.columns if isinstance(column.type, Enum)]
            assert {f"ck_{table.name}_{status.name}" for status in statuses} <= held


def test_sqlite_keeps_what_it_committed_through_power_loss(tmp_path: Path) -> None:
    with connect(sqlite_url(tmp_path / "fresh.sqlite3")) as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2
        assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1


def test_two_servers_that_start_at_once_migrate_once(empty: URL) -> None:
    errors: list[Exception] = []

    def start() -> None:
        try:
            migrate(empty)
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=start) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert errors == []


def test_what_a_server_had_before_organizations_becomes_one_organizations(empty: URL) -> None:
    migrate(empty, "0001")
    with connect(empty, Use.WRITE) as connection:
        fill_0001(connection)
    migrate(empty)
    with connect(empty) as connection:
        [lamp] = products.of_organizations(connection, [1])
        assert (lamp.slug, lamp.created_ms) == ("lamp", 6)
        assert {one.email: one.role for one in organizations.members_of(connection, 1)} == {
            "ana@example.com": Role.ADMINISTRATOR,
            "ben@example.com": Role.ADMINISTRATOR,
        }
        [(rooms, _)] = organizations.of_account(connection, 1)
        assert rooms.owner_id == 1
        assert [line.action for line in audit.lines(connection, 1, Filter(), 10)] == ["product.create"]
        [release] = connection.exec_driver_sql("SELECT version, released_ms FROM releases").fetchall()
        assert tuple(release) == (1, 7), "a default was released"


@pytest.mark.full
@pytest.mark.parametrize("revision", REVISIONS[:-1])
def test_every_earlier_revision_is_brought_up_to_date_with_what_is_in_it(empty: URL, revision: str) -> None:
    migrate(empty, "0001")
    with connect(empty, Use.WRITE) as connection:
        fill_0001(connection)
    migrate(empty, revision)
    with connect(empty, Use.WRITE) as connection:
        before = fill_more(connection)
    migrate(empty)
    check_is_whole(empty, before)


def test_what_every_revision_kept_is_kept_by_those_behind_it(empty: URL) -> None:
    migrate(empty, "0001")
    with connect(empty, Use.WRITE) as connection:
        fill_0001(connection)
    before: dict[str, int] = {}
    for revision in REVISIONS:
        migrate(empty, revision)
        with connect(empty, Use.WRITE) as connection:
            before = fill_more(connection)
    check_is_whole(empty, before)


def check_is_whole(url: URL, before: dict[str, int]) -> None:
    """The tables are those of the code and hold at least so many rows, and the audit log is only added to."""
    with connect(url) as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
        for name, count in before.items():
            if name != "alembic_version":
                found = connection.execute(select(func.count()).select_from(metadata.tables[name])).scalar_one()
                assert found >= count, name
    with connect(url, Use.WRITE) as connection, pytest.raises(DBAPIError, match="only added to"):
        connection.exec_driver_sql("DELETE FROM audit")


def fill_0001(connection: Connection) -> None:
    """Some rows of the first tables, as the server wrote them."""
    for email in ("ana@example.com", "ben@example.com"):
        values = {"email": email}
        insert = "INSERT INTO accounts (email, password_hash, created_ms) VALUES (:email, '-', 5)"
        connection.execute(text(insert), values)
    connection.execute(
        text(
            "INSERT INTO products (id, slug, name, description, auto_approve, check_in_interval_s, quarantine_max,"
            " default_version, plan_token, created_ms) VALUES (1234, 'lamp', 'Lamp', '', :no, 300, 100, 1, :token, 6)"
        ),
        {"no": False, "token": bytes(8)},
    )
    connection.exec_driver_sql(
        "INSERT INTO releases (product_id, version, title, description, created_ms, created_by)"
        " VALUES (1234, 1, '', '', 7, 'ana@example.com')"
    )
    connection.exec_driver_sql(
        "INSERT INTO audit (at_ms, account_id, action, subject, detail) VALUES (8, 1, 'product.create', '1234', '')"
    )
    connection.execute(
        text("INSERT INTO tokens (account_id, token_hash, label, created_ms) VALUES (1, :hash, 'ci', 9)"),
        {"hash": bytes(32)},
    )


def fill_more(connection: Connection) -> dict[str, int]:
    """A row in every table that has none, with something in each column; returns how many rows each table has."""
    reflected = MetaData()
    reflected.reflect(connection)
    counts = {}
    for table in reflected.sorted_tables:
        count = select(func.count()).select_from(table)
        if connection.execute(count).scalar_one() == 0:
            connection.execute(insert(table).values(_row(connection, table)))
        counts[table.name] = connection.execute(count).scalar_one()
    return counts


def _row(connection: Connection, table: Table) -> dict[str, object]:
    checks = [check["sqltext"] for check in inspect(connection).get_check_constraints(table.name)]
    row: dict[str, object] = {}
    for column in table.columns:
        # The first of the words that a status may be, as either database writes its constraint.
        allowed = [match for check in checks if (match := re.match(rf"\W*{column.name}\b[^']*'([^']+)'", check))]
        if column.foreign_keys:
            [key] = column.foreign_keys
            row[column.name] = connection.execute(select(key.column).limit(1)).scalar_one()
        elif allowed:
            row[column.name] = allowed[0].group(1)
        else:
            row[column.name] = {int: 1, str: "x", bytes: b"x", bool: False}[column.type.python_type]
    return row
