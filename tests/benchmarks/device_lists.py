# SPDX-License-Identifier: Apache-2.0
"""How long lists of a product with many devices take, over HTTP.

python tests/benchmarks/device_lists.py [DEVICES]
"""

from __future__ import annotations

import random
import sys
import tempfile
import time
from pathlib import Path

import httpx
from sqlalchemy import Connection, insert

_ROOT = Path(__file__).parents[2]
sys.path[:0] = [] if str(_ROOT) in sys.path else [str(_ROOT)]

from ota_server.clock import SystemClock  # noqa: E402
from ota_server.devices.models import DeviceStatus, devices, group_devices, groups  # noqa: E402
from ota_server.organizations.service import add_administrator  # noqa: E402
from tests.ota_server.conftest import listen_app, make_settings  # noqa: E402

PRODUCT = 1234
ROUNDS = 60
ROOMS = ("kitchen", "attic", "cellar", "garage", "hall", "office")
LIMIT_MS = 100
"""What the 95th percentile of each list should stay below with 100,000 devices."""

LISTS: dict[str, dict[str, str | int]] = {
    "first page": {},
    "page 2,000 of 50": {"page": 2000, "per_page": 50},
    "by name, page 1,000": {"sortAttr": "deviceName", "page": 1000},
    "last heard first": {"sortAttr": "lastConnection", "sortDir": "desc"},
    "part of an id": {"deviceId": "c0ffe"},
    "part of a name": {"deviceName": "kitchen 7"},
    "name of nobody": {"deviceName": "nowhere"},
    "group of 1,000": {"groups": "beta"},
    "group and name": {"groups": "beta", "deviceName": "attic"},
    "version": {"version": 3},
    "quarantined": {"status": "quarantined"},
}


def fill(connection: Connection, count: int) -> None:
    """A product's devices: nearly all active, with names and versions, a hundredth in a group."""
    draw = random.Random(1)
    rows = [
        {
            "id": number,
            "device_id": f"{draw.getrandbits(96):024x}",
            "product_id": PRODUCT,
            "platform_id": 6,
            "name": f"{draw.choice(ROOMS)} {number}",
            "status": DeviceStatus.QUARANTINED if number % 1000 == 0 else DeviceStatus.ACTIVE,
            "product_version": draw.choice((1, 2, 2, 3)),
            "last_seen_ms": draw.randrange(10**12),
        }
        for number in range(1, count + 1)
    ]
    connection.execute(insert(devices), rows)
    connection.execute(insert(groups).values(id=1, product_id=PRODUCT, name="beta", description="", color=""))
    members = [{"group_id": 1, "device_row": number} for number in range(1, count + 1, 100)]
    connection.execute(insert(group_devices), members)


def measure(client: httpx.Client, query: dict[str, str | int]) -> tuple[int, list[float]]:
    """How many devices are found, and milliseconds of each round."""
    times, total = [], 0
    for _ in range(ROUNDS):
        begin = time.perf_counter()
        answer = client.get(f"/v1/products/{PRODUCT}/devices", params=query)
        times.append(1000 * (time.perf_counter() - begin))
        assert answer.status_code == 200, answer.text
        total = answer.json()["meta"]["total_records"]
    return total, sorted(times)


def main(count: int) -> None:
    with (
        tempfile.TemporaryDirectory() as folder,
        listen_app(make_settings(Path(folder) / "server"), SystemClock()) as (services, url),
    ):
        token = services.database.write(lambda c: add_administrator(c, "a@b.c", "-", "Bench", 0))
        with httpx.Client(base_url=url, headers={"authorization": f"Bearer {token}"}, timeout=60) as client:
            client.post("/v1/products", json={"product": {"id": PRODUCT, "name": "Lamp"}}).raise_for_status()
            services.database.write(lambda connection: fill(connection, count))
            print(f"{count:,} devices, SQLite, {ROUNDS} requests each, milliseconds")
            print(f"{'':24}{'found':>10}{'median':>10}{'95 %':>10}")
            for name, query in LISTS.items():
                total, times = measure(client, query)
                late = times[int(0.95 * len(times))]
                mark = "" if late < LIMIT_MS else f"  above {LIMIT_MS}"
                print(f"{name:24}{total:10,}{times[len(times) // 2]:10.1f}{late:10.1f}{mark}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000)
