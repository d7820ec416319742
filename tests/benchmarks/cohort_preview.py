# SPDX-License-Identifier: Apache-2.0
"""How long previews of cohorts take, over HTTP, on SQLite and on PostgreSQL.

python tests/benchmarks/cohort_preview.py [DEVICES]
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy.engine import URL

_ROOT = Path(__file__).parents[2]
sys.path[:0] = [] if str(_ROOT) in sys.path else [str(_ROOT)]

from ota_server.clock import SystemClock  # noqa: E402
from ota_server.organizations.service import add_administrator  # noqa: E402
from tests.benchmarks.fleet_seed import FleetSeed, Values, seed_fleet  # noqa: E402
from tests.ota_server.conftest import listen_app, make_settings  # noqa: E402
from tests.ota_server.postgresql import run_postgresql  # noqa: E402

PRODUCT = 1234
ROUNDS = 5
COUNTRIES = ("DE", "FR", "ES", "IT", None)

COHORTS: dict[str, dict[str, Any]] = {
    "all": {"all": True},
    "version 2 or later": {"field": "version", "at_least": 2},
    "a tag": {"field": "tag", "is": "beta"},
    "two countries, not a tag": {
        "and": [{"field": "country", "one_of": ["DE", "FR"]}, {"not": {"field": "tag", "is": "beta"}}]
    },
    "a health metric": {"field": "health.free_stack", "below": 1000},
    "10 percent": {"percent": 10},
}


def more(number: int) -> Values:
    """What people set, and versions, of the device of a number."""
    return {
        "country": COUNTRIES[number % len(COUNTRIES)],
        "tags": "beta indoor" if number % 10 == 0 else "",
        "product_version": 1 + number % 3,
    }


@contextmanager
def fleet(folder: Path, database: URL | None, count: int) -> Iterator[httpx.Client]:
    """A server with so many devices, and a client of it."""
    settings = make_settings(folder, database=database)
    with listen_app(settings, SystemClock()) as (services, url):
        token = services.database.write(lambda c: add_administrator(c, "a@b.c", "-", "Bench", 0))
        with httpx.Client(base_url=url, headers={"authorization": f"Bearer {token}"}, timeout=120) as client:
            client.post("/v1/products", json={"product": {"id": PRODUCT, "name": "Lamp"}}).raise_for_status()
            now_ms = services.clock.now_ms()
            seed_fleet(settings.database, FleetSeed("lamps", count, PRODUCT, bytes(8), 1, now_ms, more=more))
            yield client


def measure(client: httpx.Client, cohort: dict[str, Any]) -> tuple[int, list[float]]:
    """How many devices it holds, and milliseconds of each round."""
    times, found = [], 0
    for _ in range(ROUNDS):
        begin = time.perf_counter()
        answer = client.post(f"/v1/products/{PRODUCT}/cohorts/preview", json={"cohort": cohort})
        times.append(1000 * (time.perf_counter() - begin))
        assert answer.status_code == 200, answer.text
        found = answer.json()["preview"]["devices"]
    return found, sorted(times)


def main(count: int) -> None:
    """Prints a table."""
    with (
        tempfile.TemporaryDirectory() as folder,
        run_postgresql() as postgresql,
        postgresql.database() as url,
        fleet(Path(folder) / "sqlite", None, count) as on_sqlite,
        fleet(Path(folder) / "postgresql", url, count) as on_postgresql,
    ):
        print(f"{count:,} devices, {ROUNDS} requests each, milliseconds: median and slowest")
        print(f"{'':30}{'found':>10}{'SQLite':>20}{'PostgreSQL':>20}")
        for name, cohort in COHORTS.items():
            line, found = "", 0
            for client in (on_sqlite, on_postgresql):
                found, times = measure(client, cohort)
                line += f"{times[len(times) // 2]:11.1f}{times[-1]:9.1f}"
            print(f"{name:30}{found:10,}{line}", flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000)
