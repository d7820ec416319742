# SPDX-License-Identifier: Apache-2.0
"""Check-ins per second, their latency and what they cost the server, beside the polls of gooseBit.

Run: python tests/benchmarks/check_ins.py [--seconds 10] [--devices 1000,1000000] [--openings 10000]
    [--databases SQLite,PostgreSQL] [--json FILE]

A row that fails says why, and the others go on. Exits with 1 unless every goal holds.
Server and load generator share this machine. So that other work on it does not disturb, look at CPU time: of the
server's process, and of PostgreSQL's, divided by the requests. gooseBit (PyPI, in an environment that this makes below
build/) has its poll asked for by the same generator; how it is set up is in docs/howto/fleets.md.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import uvloop
from sqlalchemy.engine import URL

_ROOT = Path(__file__).parents[2]
sys.path[:0] = [] if str(_ROOT) in sys.path else [str(_ROOT)]

from muster.client import ServerClient  # noqa: E402
from muster.fleet.fleet import Fleet, Model, Running  # noqa: E402
from muster.fleet.load import Address, Course, Load  # noqa: E402
from muster.fleet.tally import Latencies, Tally  # noqa: E402
from muster.signing.keys import write_private_key  # noqa: E402
from ota_server.devices.models import NO_SESSION  # noqa: E402
from ota_server.storage.engine import sqlite_url  # noqa: E402
from tests.benchmarks import goosebit  # noqa: E402
from tests.benchmarks.fleet_seed import FleetSeed, seed_fleet  # noqa: E402
from tests.benchmarks.process_cpu import cpu_s  # noqa: E402
from tests.ota_server import keys  # noqa: E402
from tests.ota_server.postgresql import SIZED, PostgreSql, run_postgresql  # noqa: E402

MUSTER = [sys.executable, "-c", "from muster.cli.main import main; main()", "serve"]
SEED = "benchmark"
CONNECTIONS = 128
POLLED = 1000
OPENINGS_MAX_S = 240.0
"""When those that have not come are given up: what was measured until then is shown."""
STOPS_IN_S = 30
PER_S_MIN, P99_MAX_MS, TIMES_PEER_MIN = 3300, 100, 30
GROWTH_MAX = {"SQLite": 0.30, "PostgreSQL": 0.15}
"""Of the server's CPU time per check-in, from the fewest to the most devices."""
CHECK_IN, OPENING, POLL = "check-in", "opening", "gooseBit poll"
WARM_UP_S = 3.0
DAY_MS = 24 * 3600 * 1000


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table; CPU times are microseconds for each request."""

    what: str
    database: str
    devices: int
    per_s: float
    p50_ms: float
    p99_ms: float
    server_us: float
    database_us: float
    generator_us: float

    @property
    def all_us(self) -> float:
        """What a request costs on the server's side."""
        return self.server_us + self.database_us


@dataclass(frozen=True, slots=True)
class Watched:
    """A server that is measured."""

    pid: int
    postgresql: PostgreSql | None

    def cpu_s(self) -> tuple[float, float]:
        pid = None if self.postgresql is None else self.postgresql.pid
        return cpu_s(self.pid), 0.0 if pid is None else cpu_s(pid)


class Used:
    """CPU time from now on."""

    def __init__(self, watched: Watched) -> None:
        self._watched = watched
        self._before = watched.cpu_s()
        self._own_s = time.process_time()

    def row(self, what: str, database: str, devices: int, done: int, passed_s: float, times: Latencies) -> Row:
        own_s = time.process_time() - self._own_s
        server_s, database_s = (now - then for now, then in zip(self._watched.cpu_s(), self._before, strict=True))
        p50, p99 = (1000 * (times.percentile_s(share) or 0) for share in (0.5, 0.99))
        micro = 1e6 / max(done, 1)
        return Row(
            what, database, devices, done / passed_s, p50, p99, server_s * micro, database_s * micro, own_s * micro
        )


class Muster:
    """A server of this project with a product, its process restarted at will.

    Args:
        folder: for its data.
        postgresql: where its database is; None: SQLite.
    """

    def __init__(self, folder: Path, postgresql: PostgreSql | None, database: URL | None) -> None:
        self._postgresql = postgresql
        self.database = database or sqlite_url(folder / "data" / "muster.sqlite3")
        write_private_key(folder / "online.pem", keys.key("online"))
        (folder / "keyset.cbor").write_bytes(keys.keyset().to_bytes())
        self._command = [*MUSTER, "--data", str(folder / "data")]
        self._command += ["--online-key", str(folder / "online.pem"), "--keyset", str(folder / "keyset.cbor")]
        if database is not None:
            self._command += ["--database", database.set(drivername="postgresql").render_as_string(False)]
        init = [*self._command, "--init", "--email", "a@b.c", "--password-stdin", "--json"]
        made = subprocess.run(init, input="benchmark\n", capture_output=True, text=True, check=True)
        with self.serving() as (_, url), ServerClient(url, json.loads(made.stdout)["token"]) as api:
            api.create_product(keys.PRODUCT, "Benchmark", auto_approve=True)
            api.publish(keys.image(1).raw, keys.PRODUCT)

    @contextmanager
    def serving(self) -> Iterator[tuple[Watched, str]]:
        with subprocess.Popen([*self._command, "--port", "0"], stdout=subprocess.PIPE, text=True) as server:
            assert server.stdout is not None
            try:
                yield Watched(server.pid, self._postgresql), server.stdout.readline().split()[-1]
            finally:
                server.terminate()
                try:
                    server.wait(STOPS_IN_S)
                except subprocess.TimeoutExpired:
                    server.kill()


def model(count: int, has_sessions: bool) -> Model:
    running = Running(keys.image(1).identity[:8], 1)
    return Model(SEED, count, keys.PRODUCT, keys.PHOTON, (running,), has_sessions=has_sessions)


def measure_check_ins(muster: Muster, name: str, count: int, seconds: float) -> Row:
    """Check-ins in sessions that the database is seeded with."""
    now_ms = int(time.time() * 1000)
    # However long it takes to put a million in: none of them has gone offline meanwhile.
    online = {"online_until_ms": now_ms + DAY_MS}
    identity = keys.image(1).identity[:8]
    seed_fleet(muster.database, FleetSeed(SEED, count, keys.PRODUCT, identity, 1, now_ms, more=lambda _: online))
    fleet = Fleet(model(count, has_sessions=True))
    with muster.serving() as (watched, url):
        run(fleet, url, WARM_UP_S)
        fleet.tally = Tally()
        used = Used(watched)
        passed_s = run(fleet, url, seconds)
        return used.row(CHECK_IN, name, count, fleet.tally.check_ins, passed_s, fleet.tally.check_in_times)


def measure_openings(muster: Muster, name: str, count: int) -> Row:
    """New sessions of registered devices, each with its first check-in: as after an outage."""
    identity = keys.image(1).identity[:8]
    now_ms = int(time.time() * 1000)
    fleet_seed = FleetSeed(SEED, count, keys.PRODUCT, identity, 1, now_ms, is_keyed=True, more=lambda _: NO_SESSION)
    seed_fleet(muster.database, fleet_seed)
    fleet = Fleet(model(count, has_sessions=False))
    with muster.serving() as (watched, url):
        used = Used(watched)
        passed_s = run(fleet, url, OPENINGS_MAX_S, rounds=1)
        # A busy server lets some wait until later.
        return used.row(OPENING, name, count, fleet.tally.openings, passed_s, fleet.tally.opening_times)


def measure_polls(folder: Path, name: str, database: URL | None, postgresql: PostgreSql | None, seconds: float) -> Row:
    """gooseBit's polls of 1,000 registered devices."""
    with goosebit.serving(folder, database, SEED, POLLED) as (pid, host, port):
        uvloop.run(goosebit.poll(host, port, SEED, POLLED, CONNECTIONS, WARM_UP_S))
        used = Used(Watched(pid, postgresql))
        began = time.perf_counter()
        times, done = uvloop.run(goosebit.poll(host, port, SEED, POLLED, CONNECTIONS, seconds))
        return used.row(POLL, name, POLLED, done, time.perf_counter() - began, times)


def run(fleet: Fleet, url: str, seconds: float, rounds: int | None = None) -> float:
    course = Course(seconds, CONNECTIONS, is_flat_out=True, rounds=rounds)
    return uvloop.run(_loaded(fleet, url, course))


async def _loaded(fleet: Fleet, url: str, course: Course) -> float:
    return await Load(fleet, Address.from_url(url), course, time.time()).run()


def show(rows: list[Row]) -> None:
    print(
        f"\n{'':14}{'database':12}{'devices':>10}{'per s':>9}{'p50 ms':>8}{'p99 ms':>8}"
        f"{'server us':>11}{'database us':>13}{'generator us':>14}{'per s x':>9}{'CPU x':>7}"
    )
    for one in rows:
        peer = next((row for row in rows if row.what == POLL and row.database == one.database), None)
        ratios = "" if peer is None else f"{one.per_s / peer.per_s:9.1f}{peer.all_us / one.all_us:7.1f}"
        print(
            f"{one.what:14}{one.database:12}{one.devices:10,}{one.per_s:9,.0f}{one.p50_ms:8.1f}{one.p99_ms:8.1f}"
            f"{one.server_us:11.0f}{one.database_us:13.0f}{one.generator_us:14.0f}{ratios}"
        )
    print("x: how many times gooseBit's on the same database: requests per second, and server CPU per request")
    for name in GROWTH_MAX:
        grows = growth(rows, name)
        if grows is not None:
            print(f"{name}: from the fewest to the most devices, CPU per check-in grows by {grows:.0%}")


def growth(rows: list[Row], name: str) -> float | None:
    """By which share a check-in takes more CPU time with the most devices than with the fewest."""
    costs = sorted((row.devices, row.all_us) for row in rows if row.what == CHECK_IN and row.database == name)
    return costs[-1][1] / costs[0][1] - 1 if len(costs) > 1 else None


def goals(rows: list[Row], name: str) -> list[tuple[str, bool | None]]:
    """What was to be reached on a database, and whether it is; None where a row is missing for that."""
    check_ins = [row for row in rows if row.what == CHECK_IN and row.database == name]
    peer = next((row for row in rows if row.what == POLL and row.database == name), None)
    per_s = min((row.per_s for row in check_ins), default=None)
    p99_ms = max((row.p99_ms for row in check_ins), default=None)
    grows = growth(rows, name)
    times = None if per_s is None or peer is None else per_s / peer.per_s
    return [
        (f"{PER_S_MIN:,} check-ins per s", None if per_s is None else per_s >= PER_S_MIN),
        (f"p99 below {P99_MAX_MS} ms", None if p99_ms is None else p99_ms < P99_MAX_MS),
        (
            f"CPU per check-in grows by less than {GROWTH_MAX[name]:.0%}",
            None if grows is None else grows < GROWTH_MAX[name],
        ),
        (f"{TIMES_PEER_MIN} times gooseBit's polls per s", None if times is None else times >= TIMES_PEER_MIN),
    ]


def measure_all(
    name: str, server: PostgreSql | None, counts: list[int], openings: int, seconds: float
) -> Iterator[tuple[str, Callable[[], Row]]]:
    """What is measured on a database, each in one of its own."""

    def in_new(measure: Callable[[Path, URL | None], Row]) -> Row:
        with fresh(server) as (folder, database):
            return measure(folder, database)

    def check_in(count: int, folder: Path, database: URL | None) -> Row:
        return measure_check_ins(Muster(folder, server, database), name, count, seconds)

    def opening(folder: Path, database: URL | None) -> Row:
        return measure_openings(Muster(folder, server, database), name, openings)

    def poll(folder: Path, database: URL | None) -> Row:
        return measure_polls(folder, name, database, server, seconds)

    for count in counts:
        yield f"{CHECK_IN}, {count:,} devices", partial(in_new, partial(check_in, count))
    yield OPENING, partial(in_new, opening)
    yield POLL, partial(in_new, poll)


def main(arguments: Sequence[str] | None = None) -> bool:
    """Measures and prints; whether every goal holds."""
    options = argparse.ArgumentParser()
    options.add_argument("--seconds", type=float, default=10.0)
    options.add_argument("--devices", default="1000,1000000")
    options.add_argument("--openings", type=int, default=10_000)
    options.add_argument("--databases", default=",".join(GROWTH_MAX))
    options.add_argument("--json", type=Path)
    chosen = options.parse_args(arguments)
    counts = [int(count) for count in chosen.devices.split(",")]
    names: list[str] = chosen.databases.split(",")
    rows: list[Row] = []
    failures: list[str] = []
    for name in names:
        with ExitStack() as stack:
            server = stack.enter_context(run_postgresql(SIZED)) if name == "PostgreSQL" else None
            for what, measure in measure_all(name, server, counts, chosen.openings, chosen.seconds):
                began = time.monotonic()
                try:
                    row = measure()
                # Whatever it is: the other rows are worth having.
                except Exception as error:
                    failures.append(f"{what}, {name}: {type(error).__name__}: {error}")
                    print(f"FAILED {failures[-1]}", flush=True)
                    continue
                rows.append(row)
                took_s = time.monotonic() - began
                print(f"{what}, {name}: {row.per_s:,.0f} per s, {row.all_us:.0f} us; took {took_s:.0f} s", flush=True)
    show(rows)
    for failure in failures:
        print(f"FAILED {failure}")
    reached = [(name, *goal) for name in names for goal in goals(rows, name)]
    for name, text, holds in reached:
        print(f"{name}, {text}: {'NOT SHOWN' if holds is None else 'holds' if holds else 'DOES NOT HOLD'}")
    if chosen.json is not None:
        chosen.json.write_text(json.dumps([asdict(row) for row in rows], indent=2) + "\n")
    return not failures and all(holds for _, _, holds in reached)


@contextmanager
def fresh(postgresql: PostgreSql | None) -> Iterator[tuple[Path, URL | None]]:
    """A folder, and a new database with nothing in it."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        yield folder, None if postgresql is None else stack.enter_context(postgresql.database(is_migrated=False))


if __name__ == "__main__":
    sys.exit(not main())
