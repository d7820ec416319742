# SPDX-License-Identifier: Apache-2.0
"""How long previews of cohorts take, over HTTP, on SQLite and on PostgreSQL.

python tests/benchmarks/cohort_preview.py [DEVICES]
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import httpx

_ROOT = Path(__file__).parents[2]
sys.path[:0] = [] if str(_ROOT) in sys.path else [str(_ROOT)]

from ota_server.services import Services  # noqa: E402
from tests.benchmarks.both_databases import PRODUCT, on_both, timed  # noqa: E402
from tests.benchmarks.fleet_seed import FleetSeed, Values, seed_fleet  # noqa: E402

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


def fill(services: Services, count: int) -> None:
    """A fleet's devices."""
    fleet = FleetSeed("lamps", count, PRODUCT, bytes(8), 1, services.clock.now_ms(), more=more)
    seed_fleet(services.settings.database, fleet)


def measure(client: httpx.Client, cohort: dict[str, Any]) -> tuple[int, list[float]]:
    """How many devices it holds, and milliseconds of each round."""
    path = f"/v1/products/{PRODUCT}/cohorts/preview"
    answer, times = timed(ROUNDS, lambda: client.post(path, json={"cohort": cohort}))
    return answer.json()["preview"]["devices"], times


def main(count: int) -> None:
    """Prints a table."""
    with on_both(lambda services: fill(services, count)) as clients:
        print(f"{count:,} devices, {ROUNDS} requests each, milliseconds: median and slowest")
        print(f"{'':30}{'found':>10}{'SQLite':>20}{'PostgreSQL':>20}")
        for name, cohort in COHORTS.items():
            line, found = "", 0
            for client in clients:
                found, times = measure(client, cohort)
                line += f"{times[len(times) // 2]:11.1f}{times[-1]:9.1f}"
            print(f"{name:30}{found:10,}{line}", flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000)
