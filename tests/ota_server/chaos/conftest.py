# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy.engine import URL

from ota_server.check import check
from ota_server.organizations.service import add_administrator
from ota_server.settings import Settings
from ota_server.storage.database import Database
from tests.ota_server.chaos.faults import Faults
from tests.ota_server.chaos.process import ServerProcess, server_process
from tests.ota_server.chaos.story import Fleet
from tests.ota_server.conftest import EMAIL, ORGANIZATION, make_data, make_settings


@dataclass
class Bench:
    """A server that is a process of its own, its faults, and a fleet."""

    settings: Settings
    server: ServerProcess
    faults: Faults
    fleet: Fleet

    def assert_sound(self) -> None:
        """What the fleet knows is kept, and all that is kept agrees. The server may run meanwhile."""
        database = Database(self.settings.database)
        kept, served = self.settings.open_blobs()
        try:
            with database.read() as connection:
                assert check(connection, kept, served, reads_blobs=True) == []
                self.fleet.assert_kept(connection)
        finally:
            database.close()

    def log(self) -> str:
        return self.server.log.read_text()


@pytest.fixture
def bench(tmp_path: Path, database_url: URL | None) -> Iterator[Bench]:
    """The server does not run yet."""
    settings = make_settings(tmp_path / "server", database=database_url)
    make_data(settings)
    database = Database(settings.database)
    token = database.write(lambda connection: add_administrator(connection, EMAIL, "", ORGANIZATION, 1))
    database.close()
    faults = Faults(tmp_path / "faults", settings.data_dir)
    assert settings.online_key is not None
    arguments = ["serve", "--data", str(settings.data_dir), "--port", "0", "--online-key", str(settings.online_key)]
    arguments += ["--keyset", str(settings.keysets[0])]
    if database_url is not None:
        arguments += ["--database", database_url.render_as_string()]
    with server_process(arguments, faults, tmp_path / "serve.log") as server:
        yield Bench(settings, server, faults, Fleet(server, token, random.Random(1)))
