# SPDX-License-Identifier: Apache-2.0
"""Migrations make exactly the tables that the code names."""

from __future__ import annotations

from pathlib import Path

from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import inspect

from ota_server.audit import store as audit
from ota_server.audit.models import Filter
from ota_server.organizations import store as organizations
from ota_server.organizations.roles import Role
from ota_server.products import store as products
from ota_server.storage.database import make_engine
from ota_server.storage.migrate import migrate
from ota_server.storage.tables import metadata


def test_migrated_database_has_the_tables_of_the_code(tmp_path: Path) -> None:
    path = tmp_path / "fresh.sqlite3"
    migrate(path)
    migrate(path)
    engine = make_engine(path, begin="BEGIN")
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
        assert set(inspect(connection).get_table_names()) == set(metadata.tables) | {"alembic_version"}
    engine.dispose()


def test_the_database_keeps_what_it_committed_through_power_loss(tmp_path: Path) -> None:
    engine = make_engine(tmp_path / "fresh.sqlite3", begin="BEGIN")
    with engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2
        assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1
    engine.dispose()


def test_what_a_server_had_before_organizations_becomes_one_organizations(tmp_path: Path) -> None:
    path = tmp_path / "old.sqlite3"
    migrate(path, "0001")
    engine = make_engine(path, begin="BEGIN")
    with engine.begin() as connection:
        for number, email in ((1, "ana@example.com"), (2, "ben@example.com")):
            connection.exec_driver_sql("INSERT INTO accounts VALUES (?, ?, '-', 5)", (number, email))
        connection.exec_driver_sql(
            "INSERT INTO products VALUES (1234, 'lamp', 'Lamp', '', 0, 300, 100, NULL, x'0102030405060708', 6)"
        )
        connection.exec_driver_sql(
            "INSERT INTO releases (product_id, version, title, description, created_ms, created_by)"
            " VALUES (1234, 1, '', '', 7, 'ana@example.com')"
        )
        connection.exec_driver_sql("INSERT INTO audit VALUES (1, 8, 1, 'product.create', '1234', '')")
    engine.dispose()
    migrate(path)
    engine = make_engine(path, begin="BEGIN")
    with engine.connect() as connection:
        [lamp] = products.of_organizations(connection, [1])
        assert (lamp.slug, lamp.created_ms) == ("lamp", 6)
        assert {one.email: one.role for one in organizations.members_of(connection, 1)} == {
            "ana@example.com": Role.ADMINISTRATOR,
            "ben@example.com": Role.ADMINISTRATOR,
        }
        assert [line.action for line in audit.lines(connection, 1, Filter(), 10)] == ["product.create"]
        assert connection.exec_driver_sql("SELECT count(*) FROM releases").scalar() == 1
        assert connection.exec_driver_sql("PRAGMA foreign_key_check").fetchall() == []
    engine.dispose()
