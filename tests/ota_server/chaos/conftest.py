# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

import pytest
from sqlalchemy.engine import URL

from ota_server.check import check
from ota_server.organizations.service import add_administrator
from ota_server.settings import Settings
from ota_server.storage.database import Database
from tests.ota_server.chaos.faults import Faults
from tests.ota_server.chaos.process import ServerProcess, Service, Zygote, zygote
from tests.ota_server.chaos.several import Several
from tests.ota_server.chaos.story import Fleet
from tests.ota_server.conftest import EMAIL, ORGANIZATION, make_data, make_settings
from tests.ota_server.postgresql import PostgreSql

Served = TypeVar("Served", bound=Service)
SERVERS = WORKERS = 2


@dataclass
class Bench(Generic[Served]):
    """A server that is a process of its own, or several of them; faults, and a fleet."""

    settings: Settings
    server: Served
    fleet: Fleet

    @property
    def faults(self) -> Faults:
        return self.server.faults

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


@contextmanager
def made_data(folder: Path, database: URL | None) -> Iterator[tuple[Settings, str, Zygote]]:
    """A data folder and a database with an account, its access token, and what runs processes there."""
    settings = make_settings(folder / "server", database=database)
    make_data(settings)
    opened = Database(settings.database)
    token = opened.write(lambda connection: add_administrator(connection, EMAIL, "", ORGANIZATION, 1))
    opened.close()
    with zygote(Faults(folder / "faults", settings.data_dir), folder) as made:
        yield settings, token, made


def place_of(settings: Settings) -> list[str]:
    """Arguments of servers and workers."""
    url = settings.database_url
    database = [] if url is None else ["--database", url.render_as_string()]
    return ["--data", str(settings.data_dir), *database]


def serving(settings: Settings) -> list[str]:
    """Arguments of servers."""
    keys = ["--online-key", str(settings.online_key), "--keyset", str(settings.keysets[0])]
    return [*place_of(settings), *keys, "--port", "0"]


@pytest.fixture
def bench(tmp_path: Path, database_url: URL | None) -> Iterator[Bench[ServerProcess]]:
    """The server does not run yet."""
    with made_data(tmp_path, database_url) as (settings, token, processes):
        server = processes.server(serving(settings))
        yield Bench(settings, server, Fleet(server, token, random.Random(1)))


@pytest.fixture
def several(tmp_path: Path, postgresql: PostgreSql) -> Iterator[Bench[Several]]:
    """Two servers and two workers on PostgreSQL, of which none runs yet."""
    with postgresql.database() as url, made_data(tmp_path, url) as (settings, token, processes):
        servers = [processes.server([*serving(settings), "--no-worker"]) for _ in range(SERVERS)]
        workers = [processes.worker(place_of(settings)) for _ in range(WORKERS)]
        rng = random.Random(1)
        server = Several(servers, workers, postgresql, processes.faults, processes.log, rng)
        yield Bench(settings, server, Fleet(server, token, rng))
