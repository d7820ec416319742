# SPDX-License-Identifier: Apache-2.0
"""Servers with devices of one product, on SQLite and on PostgreSQL, and what requests to them take."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
from sqlalchemy.engine import URL

from ota_server.clock import SystemClock
from ota_server.organizations.service import add_administrator
from ota_server.services import Services
from tests.ota_server.conftest import listen_app, make_settings
from tests.ota_server.postgresql import SIZED, run_postgresql

PRODUCT = 1234
Fill = Callable[[Services], None]
"""Adds devices to PRODUCT."""


@contextmanager
def filled_server(folder: Path, database: URL | None, fill: Fill) -> Iterator[httpx.Client]:
    """A server with devices, and a client of it."""
    with listen_app(make_settings(folder, database=database), SystemClock()) as (services, url):
        token = services.database.write(lambda c: add_administrator(c, "a@b.c", "-", "Bench", 0))
        with httpx.Client(base_url=url, headers={"authorization": f"Bearer {token}"}, timeout=120) as client:
            client.post("/v1/products", json={"product": {"id": PRODUCT, "name": "Lamp"}}).raise_for_status()
            fill(services)
            yield client


@contextmanager
def on_both(fill: Fill) -> Iterator[tuple[httpx.Client, httpx.Client]]:
    """The same on SQLite and on PostgreSQL."""
    with (
        tempfile.TemporaryDirectory() as folder,
        run_postgresql(SIZED) as postgresql,
        postgresql.database() as url,
        filled_server(Path(folder) / "sqlite", None, fill) as on_sqlite,
        filled_server(Path(folder) / "postgresql", url, fill) as on_postgresql,
    ):
        yield on_sqlite, on_postgresql


def timed(rounds: int, ask: Callable[[], httpx.Response]) -> tuple[httpx.Response, list[float]]:
    """The last answer, and the milliseconds of each round, the shortest first."""
    times = []
    for _ in range(rounds):
        begin = time.perf_counter()
        answer = ask()
        times.append(1000 * (time.perf_counter() - begin))
        assert answer.status_code == 200, answer.text
    return answer, sorted(times)
