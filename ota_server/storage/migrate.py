# SPDX-License-Identifier: Apache-2.0
"""Brings a database to the newest tables (Alembic)."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config

from ota_server.storage.database import make_engine

SCRIPTS = Path(__file__).parent / "migrations"


def migrate(path: Path, revision: str = "head") -> None:
    """Makes the database file, or upgrades it to a revision. Doing it again changes nothing."""
    # Session keys are inside: for the server's user only, whatever the folder allows.
    path.touch(mode=0o600)
    config = Config()
    # The option is read through configparser, which gives % a meaning.
    config.set_main_option("script_location", str(SCRIPTS).replace("%", "%%"))
    # SQLite changes a table by making it anew, which must not remove what refers to it
    # (sqlite.org/lang_altertable.html, section 7).
    engine = make_engine(path, begin="BEGIN IMMEDIATE", checks_references=False)
    try:
        with engine.connect() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, revision)
            broken = connection.exec_driver_sql("PRAGMA foreign_key_check").fetchall()
            assert not broken, f"a migration left rows behind that refer to nothing: {broken[:3]}"
    finally:
        engine.dispose()
