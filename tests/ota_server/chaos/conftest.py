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
from tests.ota_server.chaos.several import Several, Supervised
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

    def assert_sound(self, is_told: bool = True) -> None:
        """All that is kept agrees; so does what the fleet knows, if it has told all. The server may run meanwhile."""
        database = Database(self.settings.database)
        kept, served = self.settings.open_blobs()
        try:
            with database.read() as connection:
                assert check(connection, kept, served, reads_blobs=True) == []
                if is_told:
                    self.fleet.assert_kept(connection)
        finally:
            database.close()

    def log(self) -> str:
        return self.server.log.read_text()


@dataclass(frozen=True, slots=True)
class Place:
    """A data folder and a database, the token of the account there, and what runs processes on them."""

    settings: Settings
    token: str
    processes: Zygote

    @property
    def working(self) -> list[str]:
        """Arguments of servers and workers."""
        url = self.settings.database_url
        database = [] if url is None else ["--database", url.render_as_string()]
        return ["--data", str(self.settings.data_dir), *database]

    @property
    def serving(self) -> list[str]:
        """Arguments of servers."""
        keys = ["--online-key", str(self.settings.online_key), "--keyset", str(self.settings.keysets[0])]
        return [*self.working, *keys, "--port", "0"]


@contextmanager
def place(folder: Path, database: URL | None, faults: Faults | None = None) -> Iterator[Place]:
    """Unless told otherwise the faults are those of the data folder, the log included."""
    settings = make_settings(folder / "server", database=database)
    make_data(settings)
    settings.data_dir.mkdir(exist_ok=True)
    opened = Database(settings.database)
    token = opened.write(lambda connection: add_administrator(connection, EMAIL, "", ORGANIZATION, 1))
    opened.close()
    faults = faults or Faults(folder / "faults", settings.data_dir)
    with zygote(faults, folder / "zygote", settings.data_dir / "all.log") as processes:
        yield Place(settings, token, processes)


@pytest.fixture
def bench(tmp_path: Path, database_url: URL | None) -> Iterator[Bench[ServerProcess]]:
    """The server does not run yet."""
    with place(tmp_path, database_url) as found:
        server = found.processes.server(found.serving)
        yield Bench(found.settings, server, Fleet(server, found.token, random.Random(1)))


@pytest.fixture
def several(tmp_path: Path, postgresql: PostgreSql) -> Iterator[Bench[Several]]:
    """Two servers and two workers on PostgreSQL, of which none runs yet."""
    with postgresql.database() as url, place(tmp_path, url) as found:
        processes = found.processes
        servers = [processes.server([*found.serving, "--no-worker"]) for _ in range(SERVERS)]
        workers = [processes.worker(found.working) for _ in range(WORKERS)]
        rng = random.Random(1)
        server = Several(servers, workers, postgresql, processes.faults, processes.log, rng)
        yield Bench(found.settings, server, Fleet(server, found.token, rng))


@pytest.fixture
def on_full_disk(tmp_path: Path, postgresql: PostgreSql) -> Iterator[Bench[Supervised]]:
    """A server, and a PostgreSQL that meets the faults. The server does not run yet."""
    path = postgresql.folder / "faults"
    faults = Faults(path, postgresql.folder / "data")
    postgresql.stop()
    postgresql.start(faults.environment)
    try:
        with postgresql.database() as url, place(tmp_path, url, faults) as found:
            server = Supervised(found.processes.server(found.serving), postgresql)
            yield Bench(found.settings, server, Fleet(server, found.token, random.Random(1)))
    finally:
        postgresql.stop()
        postgresql.start()
        path.unlink()
