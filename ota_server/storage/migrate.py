# SPDX-License-Identifier: Apache-2.0
"""Brings a database to the newest tables (Alembic)."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError

from muster.errors import EnvironmentFault
from ota_server.storage.engine import Use, check_server, describe, is_outage, lock_migration, make_engine

SCRIPTS = Path(__file__).parent / "migrations"


def migrate(url: URL, revision: str = "head") -> None:
    """Makes the tables, or upgrades them to a revision. Doing it again, or twice at once, changes nothing.

    Raises:
        EnvironmentFault: the database cannot be reached, or would lose or garble what it is given.
    """
    if url.get_backend_name() == "sqlite" and url.database is not None:
        # Session keys are inside: for the server's user only, whatever the folder allows.
        Path(url.database).touch(mode=0o600)
    config = Config()
    # The option is read through configparser, which gives % a meaning.
    config.set_main_option("script_location", str(SCRIPTS).replace("%", "%%"))
    engine = make_engine(url, Use.MIGRATE)
    try:
        with engine.begin() as connection:
            check_server(connection)
            lock_migration(connection)
            if revision == "head" and is_current(connection):
                return
            config.attributes["connection"] = connection
            command.upgrade(config, revision)
            _check_references(connection)
    except DBAPIError as error:
        if not is_outage(error):
            raise
        raise EnvironmentFault(f"cannot use the database: {describe(error)}") from error
    finally:
        engine.dispose()


def is_current(connection: Connection) -> bool:
    """Whether the tables are those of this program, neither older nor newer."""
    return MigrationContext.configure(connection).get_current_revision() == newest_revision()


@cache
def newest_revision() -> str | None:
    """Of the migrations that this program has."""
    return ScriptDirectory(str(SCRIPTS)).get_current_head()


def _check_references(connection: Connection) -> None:
    """SQLite does not hold references while tables are made anew."""
    if connection.dialect.name == "sqlite":
        broken = connection.exec_driver_sql("PRAGMA foreign_key_check").fetchall()
        assert not broken, f"a migration left rows behind that refer to nothing: {broken[:3]}"
