# SPDX-License-Identifier: Apache-2.0
"""Brings a database to the newest tables (Alembic)."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config

from ota_server.storage.database import make_engine

SCRIPTS = Path(__file__).parent / "migrations"


def migrate(path: Path) -> None:
    """Makes or upgrades the database file. Doing it again changes nothing."""
    # Session keys are inside: for the server's user only, whatever the folder allows.
    path.touch(mode=0o600)
    config = Config()
    # The option is read through configparser, which gives % a meaning.
    config.set_main_option("script_location", str(SCRIPTS).replace("%", "%%"))
    engine = make_engine(path, begin="BEGIN IMMEDIATE")
    try:
        with engine.connect() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
    finally:
        engine.dispose()
