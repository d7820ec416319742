# SPDX-License-Identifier: Apache-2.0
"""A whole server in this process, its clock in the test's hand."""

from __future__ import annotations

import atexit
import contextlib
import hashlib
import tempfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.engine import URL
from starlette.applications import Starlette
from starlette.testclient import TestClient
from starlette.types import ASGIApp

from muster.image.image import Image
from muster.signing.keys import PrivateKey, write_private_key
from ota_server import http
from ota_server.accounts.service import Passwords
from ota_server.app import create_app
from ota_server.clock import Clock
from ota_server.organizations.service import add_administrator
from ota_server.releases.encoder import MadePatch, ProcessEncoder
from ota_server.rollouts import counts, store
from ota_server.rollouts.check import check_rollouts
from ota_server.rollouts.counts import AttemptCounts
from ota_server.rollouts.models import Rollout
from ota_server.services import Services
from ota_server.settings import Settings
from ota_server.storage.migrate import migrate
from tests.ota_server import keys
from tests.ota_server.postgresql import PostgreSql, run_postgresql
from tests.ota_server.s3 import ENVIRONMENT, S3Server, run_s3
from tests.ota_server.simulated import SimulatedDevice

EMAIL = "ana@example.com"
PASSWORD = "correct horse"
ORGANIZATION = "Warm Rooms"
DATABASES = (SQLITE, POSTGRESQL) = ("sqlite", "postgresql")
CBOR = {"content-type": "application/cbor"}


class HandClock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.at_ms = 1_800_000_000_000

    def now_ms(self) -> int:
        return self.at_ms

    def advance_s(self, seconds: float) -> None:
        self.at_ms += int(seconds * 1000)


@dataclass
class Server:
    """A running server as tests use it."""

    folder: Path
    clock: HandClock
    client: TestClient
    token: str
    devices: list[SimulatedDevice] = field(default_factory=list)

    @property
    def services(self) -> Services:
        services = self.client.app.state.services  # type: ignore[attr-defined]
        assert isinstance(services, Services)
        return services

    def api(self, method: str, path: str, expect: int = 200, **arguments: Any) -> Any:
        """Calls the management API under /v1 and returns its JSON."""
        headers = {"authorization": f"Bearer {self.token}"}
        response = self.client.request(method, f"/v1{path}", headers=headers, **arguments)
        assert response.status_code == expect, response.text
        return response.json() if response.content else None

    def whoami(self, token: str, expect: int = 200) -> Any:
        """Whose another token is."""
        response = self.client.get("/v1/user", headers={"authorization": f"Bearer {token}"})
        assert response.status_code == expect
        return response.json()

    def post(self, path: str, body: bytes) -> tuple[int, bytes]:
        response = self.client.post(path, content=body, headers=CBOR)
        return response.status_code, response.content

    def get(self, path: str, first: int, last: int) -> bytes | None:
        response = self.client.get(path, headers={"range": f"bytes={first}-{last}"})
        return response.content if response.status_code == 206 else None

    def product(self, **fields: Any) -> None:
        """Makes the product of the tests' images."""
        product = {"id": keys.PRODUCT, "name": "Thermostat", "auto_approve": True, **fields}
        self.api("POST", "/products", 201, json={"product": product})

    def publish(self, image: Image, expect: int = 201, **form: Any) -> Any:
        return self.api(
            "POST",
            f"/products/{image.manifest.product_id}/firmware",
            expect,
            files={"file": ("firmware.bin", image.raw)},
            data=form,
        )

    def device(self, number: int = 1, running: Image | None = None, **fields: Any) -> SimulatedDevice:
        """A device that runs version 1 unless told otherwise; it has not opened a session yet."""
        image = running or keys.image(1, fields.get("platform_id", keys.PHOTON))
        device_id = hashlib.sha256(f"device {number}".encode()).digest()[:12]
        fields.setdefault("key", keys.key(f"device {number}"))
        device = SimulatedDevice(self.post, self.get, device_id, running=image, **fields)
        self.devices.append(device)
        return device

    def rollout(self, version: int, *stages: dict[str, Any], start: bool = True) -> int:
        """Makes a rollout of all devices (or of these stages), starts it and waits for its patches."""
        plan = list(stages) or [{"percent": 100, "gate": {"min_confirmed": 1000, "max_failures": 1000}}]
        path = f"/products/{keys.PRODUCT}/rollouts"
        made = self.api("POST", path, 201, json={"version": version, "stages": plan})
        number = int(made["rollout"]["id"])
        if start:
            self.api("POST", f"{path}/{number}/start")
            self.services.jobs.scanner.work_off()
            self.services.jobs.patcher.work_off()
        return number

    def pass_days(self, days: int) -> None:
        """Time goes by, and the server looks at its clock meanwhile."""
        for _ in range(days):
            self.clock.advance_s(24 * 3600)
            self.services.jobs.timekeeper.work_off()

    def show(self, rollout: int) -> Any:
        return self.api("GET", f"/products/{keys.PRODUCT}/rollouts/{rollout}")

    def check_counts(self, rollout: int) -> tuple[Rollout, AttemptCounts]:
        """A rollout's counters and counts, which are what its attempts and outcomes give."""
        with self.services.database.read() as connection:
            stored, counted = store.get(connection, rollout), counts.get(connection, rollout)
            assert stored is not None
            assert list(check_rollouts(connection)) == []
        return stored, counted

    def seen(self, device: SimulatedDevice) -> Any:
        return self.api("GET", f"/products/{keys.PRODUCT}/devices/{device.device_id.hex()}")


def make_settings(folder: Path, online: str = "online", version: int = 1, database: URL | None = None) -> Settings:
    """Settings over a folder with the tests' keys."""
    folder.mkdir(exist_ok=True)
    online_key, keyset = folder / f"{online}.pem", folder / f"keyset-{version}.cbor"
    if not online_key.exists():
        write_private_key(online_key, PrivateKey(keys.key(online).seed))
    names = ("online",) if online == "online" else ("online", online)
    keyset.write_bytes(keys.keyset(version, names).to_bytes())
    return Settings(folder / "data", online_key, (keyset,), database_url=database)


@cache
def _migrated() -> bytes:
    """A SQLite file with the newest tables: to make them one migration after another takes long."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "migrated.sqlite3"
        migrate(URL.create(SQLITE, database=str(path)))
        return path.read_bytes()


def make_app(settings: Settings, clock: Clock) -> Starlette:
    """The server; a new one on SQLite begins with the newest tables."""
    make_data(settings)
    return create_app(settings, clock, _encoder())


def make_data(settings: Settings) -> None:
    """A folder that has nothing yet, and on SQLite the newest tables."""
    path = settings.database_path
    if settings.database_url is None and not path.exists():
        path.parent.mkdir(mode=0o700, exist_ok=True)
        path.touch(mode=0o600)
        path.write_bytes(_migrated())


class _KeptEncoder:
    """The server's own, which is asked once for each pair of images: most tests publish the same two versions."""

    def __init__(self) -> None:
        self._encoder = ProcessEncoder()
        self._made: dict[tuple[bytes, bytes], MadePatch] = {}

    def make(self, base: bytes, target: bytes) -> MadePatch:
        if (base, target) not in self._made:
            self._made[base, target] = self._encoder.make(base, target)
        return self._made[base, target]

    def close(self) -> None:
        self._encoder.close()


@cache
def _encoder() -> _KeptEncoder:
    """One for all servers of this process: it is the one part that takes long to start."""
    encoder = _KeptEncoder()
    atexit.register(encoder.close)
    return encoder


@cache
def _hashed() -> str:
    """Takes long on purpose: once is enough."""
    return Passwords().hash(PASSWORD)


def run_server(settings: Settings, clock: HandClock, token: str | None = None) -> Iterator[Server]:
    """Runs a server in this process until the iterator goes on."""
    app = make_app(settings, clock)
    with TestClient(app, base_url="http://127.0.0.1") as client:
        services: Services = app.state.services
        if token is None:
            now_ms = clock.now_ms()
            token = services.database.write(lambda c: add_administrator(c, EMAIL, _hashed(), ORGANIZATION, now_ms))
        yield Server(settings.data_dir, clock, client, token)


@contextlib.contextmanager
def listen_app(
    settings: Settings, clock: Clock, wrap: Callable[[ASGIApp], ASGIApp] | None = None
) -> Iterator[tuple[Services, str]]:
    """A server on a real socket, in a thread; its parts and its address. `wrap` puts something around it."""
    app = make_app(settings, clock)
    services: Services = app.state.services
    listener = http.listen("127.0.0.1", 0)
    ready = threading.Event()
    wrapped = app if wrap is None else wrap(app)
    runner = http.OtaServer(http.make_config(wrapped, services), services, ready.set)
    thread = threading.Thread(target=runner.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    assert ready.wait(60)
    try:
        yield services, f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        services.feed.close()
        runner.should_exit = True
        thread.join()
        listener.close()


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Tests run on SQLite; those that are marked so, and with --full all, on PostgreSQL too."""
    is_marked = metafunc.definition.get_closest_marker("both_databases") is not None
    is_chosen = any(mark.args[0] == "database_url" for mark in metafunc.definition.iter_markers("parametrize"))
    if "database_url" not in metafunc.fixturenames or is_chosen:
        return
    if is_marked or metafunc.config.getoption("--full"):
        metafunc.parametrize("database_url", DATABASES, indirect=True)


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgreSql]:
    with run_postgresql() as made:
        yield made


@pytest.fixture(scope="session")
def s3_server() -> Iterator[S3Server]:
    with pytest.MonkeyPatch.context() as patch, run_s3() as made:
        for name, value in ENVIRONMENT.items():
            patch.setenv(name, value)
        yield made


def new_database(request: pytest.FixtureRequest) -> Iterator[URL | None]:
    """For a fixture over DATABASES: a new database on PostgreSQL; None for SQLite in the server's folder."""
    if getattr(request, "param", SQLITE) == SQLITE:
        yield None
    else:
        with request.getfixturevalue("postgresql").database() as url:
            yield url


@pytest.fixture
def database_url(request: pytest.FixtureRequest) -> Iterator[URL | None]:
    yield from new_database(request)


@pytest.fixture
def server(tmp_path: Path, clock: HandClock, database_url: URL | None) -> Iterator[Server]:
    """A server without a product."""
    yield from run_server(make_settings(tmp_path / "server", database=database_url), clock)


@pytest.fixture
def stocked(server: Server) -> Server:
    """A server with the product and versions 1 and 2 of it for all platforms."""
    return _stock(server, keys.PHOTON, keys.P1, keys.ELECTRON)


@pytest.fixture
def photons(server: Server) -> Server:
    """The same for one platform, where that is enough."""
    return _stock(server, keys.PHOTON)


def _stock(server: Server, *platforms: int) -> Server:
    server.product()
    for version in (1, 2):
        for platform in platforms:
            server.publish(keys.image(version, platform))
    server.services.jobs.patcher.work_off()
    return server
