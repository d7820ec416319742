# SPDX-License-Identifier: Apache-2.0
"""A product's devices, told apart and counted: at once where they are few, else as the collector did it last."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy import Connection, func, select, update

from ota_server.devices import store
from ota_server.devices.models import DeviceStatus, devices
from ota_server.figures.models import product_standings
from ota_server.storage.sql import insert_once

AT_ONCE_MAX = 10_000
"""Devices that are counted for whoever asks: a few milliseconds."""


class Tally(NamedTuple):
    """So many devices that are alike."""

    status: DeviceStatus
    version: int | None
    platform_id: int | None
    development: bool
    locked_version: int | None
    devices: int


@dataclass(frozen=True, slots=True)
class Standing:
    """A product's devices.

    Attributes:
        counted_ms: when they were counted; None: for this answer.
        online: trusted ones that were online then.
    """

    counted_ms: int | None
    online: int
    tallies: Sequence[Tally]

    def count(self, is_one: Callable[[Tally], bool]) -> int:
        return sum(one.devices for one in self.tallies if is_one(one))

    @property
    def versions(self) -> list[tuple[int | None, int | None, int]]:
        """(version, platform id, number of active devices), newest version first."""
        found: Counter[tuple[int | None, int | None]] = Counter()
        for one in self.tallies:
            if one.status is DeviceStatus.ACTIVE:
                found[one.version, one.platform_id] += one.devices

        def order(key: tuple[int | None, int | None]) -> tuple[int, int]:
            version, platform = key
            return -1 if version is None else version, -1 if platform is None else -platform

        return [(*key, found[key]) for key in sorted(found, key=order, reverse=True)]


def of_product(connection: Connection, product_id: int, now_ms: int) -> Standing:
    """Counts many devices only where the collector has not yet done so once: within a minute of the first ones."""
    some = select(devices.c.id).where(devices.c.product_id == product_id).limit(AT_ONCE_MAX + 1)
    if connection.execute(select(func.count()).select_from(some.subquery())).scalar_one() > AT_ONCE_MAX:
        kept = product_standings.c
        query = select(kept.counted_ms, kept.online, kept.tallies).where(kept.product_id == product_id)
        row = connection.execute(query).first()
        if row is not None:
            return Standing(row.counted_ms, row.online, [_tally(*cells) for cells in json.loads(row.tallies)])
    found = counted(connection, product_id, now_ms)
    return Standing(None, found.online, found.tallies)


def counted(connection: Connection, product_id: int, now_ms: int) -> Standing:
    """Counts them now. Takes long where they are many."""
    alike = (
        devices.c.status,
        devices.c.product_version,
        devices.c.platform_id,
        devices.c.development,
        devices.c.locked_version,
    )
    rows = connection.execute(select(*alike, func.count()).where(devices.c.product_id == product_id).group_by(*alike))
    return Standing(now_ms, store.count_online(connection, product_id, now_ms), [Tally(*row) for row in rows])


def keep(connection: Connection, product_id: int, standing: Standing) -> None:
    """Puts what was counted in the place of what was counted before."""
    insert_once(connection, product_standings, {"product_id": product_id})
    values = {
        "counted_ms": standing.counted_ms,
        "online": standing.online,
        "tallies": json.dumps([(one.status.value, *one[1:]) for one in standing.tallies], separators=(",", ":")),
    }
    connection.execute(update(product_standings).where(product_standings.c.product_id == product_id).values(values))


def _tally(status: str, *cells: int) -> Tally:
    version, platform_id, development, locked_version, count = cells
    return Tally(DeviceStatus(status), version, platform_id, bool(development), locked_version, count)
