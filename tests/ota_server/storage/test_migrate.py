# SPDX-License-Identifier: Apache-2.0
"""Migrations make exactly the tables that the code names."""

from __future__ import annotations

from pathlib import Path

from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import inspect

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
