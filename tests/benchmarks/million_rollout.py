# SPDX-License-Identifier: Apache-2.0
"""How long a rollout to a million devices takes to start and to pause, and its page and counts to answer, at any point.

python tests/benchmarks/million_rollout.py [DEVICES [SQLite|PostgreSQL]]
"""

from __future__ import annotations

import hashlib
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import ColumnElement, Connection, Integer, LargeBinary, String, insert, literal, select, update
from sqlalchemy.engine import URL

_ROOT = Path(__file__).parents[2]
sys.path[:0] = [] if str(_ROOT) in sys.path else [str(_ROOT)]

from ota_server.accounts.service import Passwords  # noqa: E402
from ota_server.clock import SystemClock  # noqa: E402
from ota_server.devices.models import devices  # noqa: E402
from ota_server.organizations.service import add_administrator  # noqa: E402
from ota_server.releases import store as releases  # noqa: E402
from ota_server.rollouts import counts  # noqa: E402
from ota_server.rollouts.models import (  # noqa: E402
    AttemptStatus,
    OutcomeKind,
    attempt_counts,
    attempts,
    outcomes,
    rollouts,
    trouble_counts,
)
from ota_server.services import Services  # noqa: E402
from tests.benchmarks.fleet_seed import FleetSeed, seed_fleet  # noqa: E402
from tests.ota_server import keys  # noqa: E402
from tests.ota_server.conftest import CBOR, EMAIL, PASSWORD, listen_app, make_settings  # noqa: E402
from tests.ota_server.postgresql import SIZED, run_postgresql  # noqa: E402
from tests.ota_server.simulated import SimulatedDevice  # noqa: E402

ROUNDS = 20
START_S, ANSWER_MS = 2.0, 100
POINTS = (1, 10, 50, 90, 100)
"""Percent of the devices that the rollout has got to when it is looked at."""
FAILED_OF = 50
"""One of so many devices reverts."""
STAGES = [{"percent": percent, "gate": {"min_confirmed": 2**31 - 1, "max_failures": 2**31 - 1}} for percent in (1, 100)]
PATH = f"/v1/products/{keys.PRODUCT}"


@dataclass
class Fleet:
    """A server with many devices and one that talks."""

    services: Services
    client: httpx.Client
    device: SimulatedDevice
    count: int


@contextmanager
def stocked_server(folder: Path, database: URL | None, count: int, versions: int = 2) -> Iterator[Fleet]:
    """A server with so many versions of a product, and so many devices that run the first."""
    settings = make_settings(folder, database=database)
    with listen_app(settings, SystemClock()) as (services, url):
        hashed = Passwords().hash(PASSWORD)
        token = services.database.write(lambda c: add_administrator(c, EMAIL, hashed, "Bench", 0))
        with httpx.Client(base_url=url, headers={"authorization": f"Bearer {token}"}, timeout=60) as client:
            product = {"id": keys.PRODUCT, "name": "Lamp", "auto_approve": True}
            client.post("/v1/products", json={"product": product}).raise_for_status()
            for version in range(1, versions + 1):
                files = {"file": ("firmware.bin", keys.image(version).raw)}
                client.post(f"{PATH}/firmware", files=files).raise_for_status()
    identity = keys.image(1).identity[:8]
    now_ms = SystemClock().now_ms()
    seed_fleet(settings.database, FleetSeed("million", count, keys.PRODUCT, identity, 1, now_ms, interval_s=3600))
    with (
        listen_app(settings, SystemClock()) as (services, url),
        httpx.Client(base_url=url, headers={"authorization": f"Bearer {token}"}, timeout=60) as client,
    ):
        client.post("/sign-in", data={"email": EMAIL, "password": PASSWORD})

        def post(path: str, body: bytes) -> tuple[int, bytes]:
            answer = client.post(path, content=body, headers=CBOR)
            return answer.status_code, answer.content

        device_id = hashlib.sha256(b"device").digest()[:12]
        device = SimulatedDevice(post, lambda *_: None, device_id, keys.key("device"), keys.image(1))
        device.check_in()
        yield Fleet(services, client, device, count)


def timed(work: Callable[[], Any]) -> float:
    """Seconds."""
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


def answer_ms(client: httpx.Client, path: str) -> tuple[float, float, float]:
    """Of some requests the median, the 95th percentile, and what one takes on a processor, the client's part too."""

    def ask() -> None:
        answer = client.get(path)
        assert answer.status_code == 200, answer.text

    ask()
    begin = time.process_time()
    times = sorted(1000 * timed(ask) for _ in range(ROUNDS))
    used = 1000 * (time.process_time() - begin) / ROUNDS
    return times[ROUNDS // 2], times[int(0.95 * (ROUNDS - 1))], used


def bring_to(connection: Connection, rollout: int, first: int, last: int) -> None:
    """Rows and counts as devices leave them that were updated, by their rows in the order of their numbers."""
    (image,) = [one for one in releases.images_of_product(connection, keys.PRODUCT) if one.version == 2]
    patch = next(one for one in releases.patches_of_product(connection, keys.PRODUCT))
    among = (devices.c.product_id == keys.PRODUCT, devices.c.id > first, devices.c.id <= last)
    common: dict[str, ColumnElement[Any]] = {
        "rollout_id": literal(rollout, Integer),
        "target_identity": literal(image.identity, LargeBinary),
    }

    def fill(reverted: bool) -> None:
        is_one = devices.c.id % FAILED_OF == 0 if reverted else devices.c.id % FAILED_OF != 0
        end = AttemptStatus.REVERTED if reverted else AttemptStatus.CONFIRMED
        cells: dict[str, ColumnElement[Any]] = {
            "device_row": devices.c.id,
            **common,
            "number": literal(1, Integer),
            "stage": literal(0, Integer),
            "target_image": literal(image.id, Integer),
            "patch_id": literal(patch.id, Integer),
            "is_full": literal(False),
            "patch_size": literal(454, Integer),
            "full_size": literal(4271, Integer),
            "status": literal(end.value, String),
            "received": literal(454, Integer),
            "is_latest": literal(True),
            "offered_ms": literal(1, Integer),
            "ended_ms": literal(60_001, Integer),
        }
        query = select(*(cell.label(name) for name, cell in cells.items())).where(*among, is_one)
        connection.execute(insert(attempts).from_select(list(cells), query, include_defaults=False))
        cells = {
            "device_row": devices.c.id,
            **common,
            "attempt": literal(1, Integer),
            "kind": literal(end.value, String),
            "is_failure": literal(reverted),
            "reason": literal(1, Integer),
            "at_ms": literal(1, Integer),
        }
        query = select(*(cell.label(name) for name, cell in cells.items())).where(*among, is_one)
        connection.execute(insert(outcomes).from_select(list(cells), query, include_defaults=False))

    fill(False)
    fill(True)
    counted = counts.recount(connection, rollout)
    values = {status.value: number for status, number in counted.devices.items()}
    values.update(bytes_sent=counted.bytes_sent, bytes_saved=counted.bytes_saved)
    connection.execute(update(attempt_counts).where(attempt_counts.c.rollout_id == rollout).values(values))
    confirmed, reverted = counted.of(AttemptStatus.CONFIRMED), counted.of(AttemptStatus.REVERTED)
    numbers = {"offered": counted.offered, "confirmed": confirmed, "reverted": reverted}
    connection.execute(update(rollouts).where(rollouts.c.id == rollout).values(numbers))
    connection.execute(trouble_counts.delete())
    row = {"rollout_id": rollout, "kind": OutcomeKind.REVERTED, "reason": 1, "outcomes": reverted}
    connection.execute(insert(trouble_counts).values(row))


def measure(fleet: Fleet) -> Iterator[tuple[str, str, float, bool]]:
    """(what, unit, figure, whether it is good enough)"""
    client = fleet.client
    made = client.post(f"{PATH}/rollouts", json={"version": 2, "stages": STAGES}).json()["rollout"]
    number = made["id"]
    path, page = f"{PATH}/rollouts/{number}", f"/products/lamp/rollouts/{number}"

    def move(verb: str) -> float:
        return timed(lambda: client.post(f"{path}/{verb}").raise_for_status())

    taken = move("start")
    yield "start", "s", taken, taken < START_S
    begin = time.process_time()
    taken = timed(fleet.services.jobs.scanner.work_off)
    yield "look at all devices, in the background", "s", taken, True
    yield "  of it on a processor, whoever did it", "s", time.process_time() - begin, True
    fleet.services.jobs.patcher.work_off()
    while fleet.device.offer is None:
        # The rollout is in its first stage: this one gets it by the second.
        fleet.services.database.write(
            lambda connection: connection.execute(update(rollouts).where(rollouts.c.id == number).values(stage=1))
        )
        client.put(f"{PATH}/firmware/2", json={"title": "Version 2"})
        fleet.device.check_in()
    taken = move("pause")
    answer = fleet.device.check_in()
    yield "pause", "s", taken, answer.withdrawn is not None
    move("resume")
    done = 0
    for percent in POINTS:
        last = fleet.count * percent // 100
        fleet.services.database.write(lambda c, first=done, to=last: bring_to(c, number, first, to))  # type: ignore[misc]
        done = last
        for name, asked in (("page", page), ("counts", path), ("all rollouts", f"{PATH}/rollouts")):
            median, late, used = answer_ms(client, asked)
            unit = f"ms, median {median:.1f}, {used:.1f} on a processor"
            yield f"{name} at {percent} %", unit, late, late < ANSWER_MS


def main(count: int, only: str = "") -> bool:
    """Prints a table, of one database or both; whether everything is fast enough."""
    is_good = True
    with tempfile.TemporaryDirectory() as folder, run_postgresql(SIZED) as postgresql, postgresql.database() as url:
        for name, database in (("SQLite", None), ("PostgreSQL", url)):
            if only and only != name:
                continue
            with stocked_server(Path(folder) / name, database, count) as fleet:
                print(f"{name}, {count:,} devices", flush=True)
                for what, unit, figure, is_one_good in measure(fleet):
                    print(f"  {what:42}{figure:10.2f} {unit}{'' if is_one_good else '  NOT good enough'}", flush=True)
                    is_good = is_good and is_one_good
    return is_good


if __name__ == "__main__":
    sys.exit(not main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000, *sys.argv[2:3]))
