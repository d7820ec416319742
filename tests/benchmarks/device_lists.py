# SPDX-License-Identifier: Apache-2.0
"""How long lists of a product with many devices take, over HTTP, on SQLite and on PostgreSQL.

python tests/benchmarks/device_lists.py [DEVICES]
"""

from __future__ import annotations

import random
import sys
from pathlib import Path

import httpx
from sqlalchemy import Connection, create_engine, insert
from sqlalchemy.engine import URL

_ROOT = Path(__file__).parents[2]
sys.path[:0] = [] if str(_ROOT) in sys.path else [str(_ROOT)]

from ota_server.devices.models import DeviceStatus, devices, group_devices, groups, presence  # noqa: E402
from ota_server.services import Services  # noqa: E402
from tests.benchmarks.both_databases import PRODUCT, on_both, timed  # noqa: E402

ROUNDS = 60
ROOMS = ("kitchen", "attic", "cellar", "garage", "hall", "office")
LIMIT_MS = 100
"""What the 95th percentile of each list should stay below with 100,000 devices."""

LISTS: dict[str, dict[str, str | int]] = {
    "first page": {},
    "page 2,000 of 50": {"page": 2000, "per_page": 50},
    "last page": {"page": 4000},
    "last id first": {"sortDir": "desc"},
    "by name, page 1,000": {"sortAttr": "deviceName", "page": 1000},
    "last heard first": {"sortAttr": "lastConnection", "sortDir": "desc"},
    "never heard first": {"sortAttr": "lastConnection"},
    "by version, page 1,000": {"sortAttr": "firmwareVersion", "page": 1000},
    "newest version first": {"sortAttr": "firmwareVersion", "sortDir": "desc"},
    "part of an id": {"deviceId": "c0ffe"},
    "part of a name": {"deviceName": "kitchen 7"},
    "name of nobody": {"deviceName": "nowhere"},
    "group of 1,000": {"groups": "beta"},
    "group and name": {"groups": "beta", "deviceName": "attic"},
    "version": {"version": 3},
    "version, last heard first": {"version": 3, "sortAttr": "lastConnection", "sortDir": "desc"},
    "part of most names": {"deviceName": "e"},
    "part of most names, page 100": {"deviceName": "e", "page": 100},
    "part of most ids": {"deviceId": "a"},
    "group, by name": {"groups": "beta", "sortAttr": "deviceName"},
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
            # What makes a row as wide as that of a device that talks.
            "public_key": draw.randbytes(32),
            "session_id": draw.randbytes(8),
            "session_key": draw.randbytes(32),
            "session_answer": draw.randbytes(200),
            "identity": draw.randbytes(8),
        }
        for number in range(1, count + 1)
    ]
    connection.execute(insert(devices), rows)
    heard = [
        {
            "device_row": number,
            "product_id": PRODUCT,
            "last_seen_ms": draw.randrange(10**12) if number % 50 else None,
            "health": '{"1": 1840, "2": 0, "3": 0, "4": 1, "5": 0}',
        }
        for number in range(1, count + 1)
    ]
    connection.execute(insert(presence), heard)
    connection.execute(insert(groups).values(id=1, product_id=PRODUCT, name="beta", description="", color=""))
    members = [{"group_id": 1, "device_row": number} for number in range(1, count + 1, 100)]
    connection.execute(insert(group_devices), members)


def vacuum(url: URL) -> None:
    """What autovacuum does within a minute."""
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql("VACUUM ANALYZE")
    engine.dispose()


def measure(client: httpx.Client, query: dict[str, str | int]) -> tuple[int, list[float]]:
    """How many devices are found, and milliseconds of each round."""
    answer, times = timed(ROUNDS, lambda: client.get(f"/v1/products/{PRODUCT}/devices", params=query))
    return answer.json()["meta"]["total_records"], times


def stock(services: Services, count: int) -> None:
    """Fills the database, and has it look at what there is now."""
    services.database.write(lambda connection: fill(connection, count))
    if services.settings.database_url is not None:
        vacuum(services.settings.database_url)


def main(count: int) -> bool:
    """Prints a table; whether every list is fast enough."""
    is_fast = True
    with on_both(lambda services: stock(services, count)) as clients:
        print(f"{count:,} devices, {ROUNDS} requests each, milliseconds: median and 95th percentile")
        print(f"{'':30}{'found':>10}{'SQLite':>18}{'PostgreSQL':>18}")
        for name, query in LISTS.items():
            line = ""
            for client in clients:
                total, times = measure(client, query)
                late = times[int(0.95 * len(times))]
                line += f"{times[len(times) // 2]:10.1f}{late:8.1f}"
                is_fast = is_fast and late < LIMIT_MS
            print(f"{name:30}{total:10,}{line}", flush=True)
    print(f"each below {LIMIT_MS} ms" if is_fast else f"NOT each below {LIMIT_MS} ms")
    return is_fast


if __name__ == "__main__":
    sys.exit(not main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000))
