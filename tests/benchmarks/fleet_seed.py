# SPDX-License-Identifier: Apache-2.0
"""Puts a fleet into a database, with sessions, as if each device had opened one and checked in."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice

import psycopg
from sqlalchemy import Connection, Table, func, select
from sqlalchemy.engine import URL

from muster.fleet.seeded import seeded, seeded_key
from ota_server.devices.models import DeviceStatus, devices, presence
from ota_server.storage.engine import Use, make_engine

CHUNK = 10_000

Values = Mapping[str, object]


def _no_more(_: int) -> Values:
    return {}


@dataclass(frozen=True, slots=True)
class FleetSeed:
    """What is put in.

    Attributes:
        seed, count: the devices `seeded(seed, 0)` and so on.
        product_id: there must be such a product.
        identity: first 8 bytes of what they run; `version` is its version.
        now_ms: when the newest check-in was; the others are spread over the interval before it.
        is_keyed: whether they have their true keys, and can open sessions; takes a minute for a million.
        more: other values of columns of the device of a number, of either table.
    """

    seed: str
    count: int
    product_id: int
    identity: bytes
    version: int
    now_ms: int
    platform_id: int = 6
    interval_s: int = 300
    is_keyed: bool = False
    more: Callable[[int], Values] = field(default=_no_more)

    def device(self, number: int) -> Values:
        """A row of `devices`."""
        who = seeded(self.seed, number)
        key = seeded_key(self.seed, number).public_key.raw if self.is_keyed else hashlib.sha256(who.device_id).digest()
        return {
            "device_id": who.device_id.hex(),
            "public_key": key,
            "product_id": self.product_id,
            "platform_id": self.platform_id,
            "status": DeviceStatus.ACTIVE.value,
            "session_id": who.session_id,
            "session_key": who.session_key,
            "session_digest": key,
            # As long as the answer to an opening is.
            "session_answer": key * 6,
            "identity": self.identity,
            "product_version": self.version,
            "slot": 0,
            "hardware_revision": 1,
            "security_counter": 0,
            "boot_state": 0,
            "bootloader_version": 1,
            "keyset_version": 1,
            "interval_s": self.interval_s,
            "boots": 1,
            "first_seen_ms": self.seen_ms(number),
            "last_opened_ms": self.seen_ms(number),
            **{name: value for name, value in self.more(number).items() if name in devices.c},
        }

    def presence(self, number: int) -> Values:
        """A row of `presence`."""
        seen_ms = self.seen_ms(number)
        return {
            "product_id": self.product_id,
            "uptime_s": 3600,
            "health": '{"1": 1840, "2": 0, "3": 0, "4": 1, "5": 0}',
            "last_seen_ms": seen_ms,
            "online_until_ms": seen_ms + self.interval_s * 2500,
            **{name: value for name, value in self.more(number).items() if name in presence.c},
        }

    def seen_ms(self, number: int) -> int:
        """When it has checked in."""
        return self.now_ms - self.interval_s * 1000 * (self.count - number) // self.count


def seed_fleet(url: URL, fleet: FleetSeed) -> None:
    """Adds a fleet to a database that has its tables; a million devices take some minutes."""
    engine = make_engine(url, Use.MIGRATE)
    with engine.connect() as connection:
        raw = connection.connection.driver_connection
        if isinstance(raw, sqlite3.Connection):
            raw.execute("PRAGMA cache_size=-500000")
            raw.execute("PRAGMA synchronous=OFF")
        with connection.begin():
            _fill(connection, fleet)
    if url.get_backend_name() != "sqlite":
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            # What autovacuum and checkpoints do within minutes.
            connection.exec_driver_sql("VACUUM ANALYZE")
            connection.exec_driver_sql("CHECKPOINT")
    engine.dispose()


def _fill(connection: Connection, fleet: FleetSeed) -> None:
    first = connection.execute(select(func.coalesce(func.max(devices.c.id), 0) + 1)).scalar_one()
    definitions = [*_drop_indexes(connection, devices), *_drop_indexes(connection, presence)]
    numbers = range(fleet.count)
    _copy(connection, devices, ({"id": first + number, **fleet.device(number)} for number in numbers))
    _copy(connection, presence, ({"device_row": first + number, **fleet.presence(number)} for number in numbers))
    for definition in definitions:
        connection.exec_driver_sql(definition)
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"SELECT setval('devices_id_seq', {first + fleet.count - 1})")


def _drop_indexes(connection: Connection, table: Table) -> list[str]:
    """Drops a table's indexes, and returns how they are made anew: that is faster than to keep them meanwhile."""
    query = f"SELECT name, sql FROM sqlite_master WHERE type = 'index' AND tbl_name = '{table.name}'"  # noqa: S608
    if connection.dialect.name == "postgresql":
        query = f"SELECT indexname, indexdef FROM pg_indexes WHERE tablename = '{table.name}'"  # noqa: S608
    named = {index.name for index in table.indexes}
    found = [(name, made) for name, made in connection.exec_driver_sql(query) if name in named]
    for name, _ in found:
        connection.exec_driver_sql(f"DROP INDEX {name}")
    return [made for _, made in found]


def _copy(connection: Connection, table: Table, rows: Iterator[Values]) -> None:
    """Adds rows; a column that they do not name has its default."""
    first = next(rows)
    defaults = {
        column.name: None if column.default is None else column.default.arg  # type: ignore[attr-defined]  # no function
        for column in table.c
        if column.name not in first
    }
    names = [*first, *defaults]
    raw = connection.connection.driver_connection
    assert raw is not None
    cursor = raw.cursor()
    tail = tuple(defaults.values())
    cells = (tuple(row.values()) + tail for row in _chain(first, rows))
    listed = ", ".join(f'"{name}"' for name in names)
    if isinstance(raw, psycopg.Connection):
        with cursor.copy(f"COPY {table.name} ({listed}) FROM STDIN") as copy:
            for cell in cells:
                copy.write_row(cell)
        return
    marks = ", ".join("?" * len(names))
    while chunk := list(islice(cells, CHUNK)):
        cursor.executemany(f"INSERT INTO {table.name} ({listed}) VALUES ({marks})", chunk)  # noqa: S608  # own names


def _chain(first: Values, rows: Iterator[Values]) -> Iterator[Values]:
    yield first
    yield from rows
