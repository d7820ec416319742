# SPDX-License-Identifier: Apache-2.0
"""A rollout's counters over time, for charts: what came in each minute, in the commit that counted it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from sqlalchemy import Connection, func, select

from ota_server.rollouts.models import CHARTED, rollout_minutes
from ota_server.storage.sql import add_up

MINUTE_MS = 60_000
POINTS_MAX = 80
"""Steps of a chart, and rows of the table with the same numbers."""
_STEPS = (1, 2, 5, 10, 15, 30, 60, 120, 180, 360, 720, 1440)
"""Minutes."""


@dataclass(frozen=True, slots=True)
class Point:
    """A rollout's counters at a time."""

    at_ms: int
    offered: int = 0
    confirmed: int = 0
    reverted: int = 0
    failed: int = 0

    @property
    def pending(self) -> int:
        """Devices that were offered it and of which nothing has come yet."""
        return max(self.offered - self.confirmed - self.reverted - self.failed, 0)


def add(connection: Connection, rollout_id: int, now_ms: int, counts: Mapping[str, int]) -> None:
    """Adds what came now."""
    charted = {name: counts[name] for name in CHARTED if name in counts}
    if charted:
        key = {"rollout_id": rollout_id, "minute": now_ms // MINUTE_MS}
        add_up(connection, rollout_minutes, key, charted)


def course(connection: Connection, rollout_id: int, first_ms: int, last_ms: int) -> list[Point]:
    """The counters at the beginning, after each step in which something came, and at the end, oldest first."""
    minutes = max((last_ms - first_ms) // MINUTE_MS, 1)
    step = next((size for size in _STEPS if minutes <= size * POINTS_MAX), -(-minutes // POINTS_MAX))
    minute = rollout_minutes.c.minute
    begin = (minute - minute % step).label("begin")
    rows = connection.execute(
        select(begin, *(func.sum(rollout_minutes.c[name]) for name in CHARTED))
        .where(rollout_minutes.c.rollout_id == rollout_id)
        .group_by(begin)
        .order_by(begin)
    )
    points = [Point(first_ms)]
    for at, *added in rows:
        sums = (getattr(points[-1], name) + int(number) for name, number in zip(CHARTED, added, strict=True))
        # A clock that was set back puts nothing outside of the chart.
        points.append(Point(max(first_ms, min((at + step) * MINUTE_MS, last_ms)), *sums))
    return points if points[-1].at_ms >= last_ms else [*points, replace(points[-1], at_ms=last_ms)]


def total(connection: Connection, rollout_id: int) -> dict[str, int]:
    """All that was added, by counter."""
    sums = (func.coalesce(func.sum(rollout_minutes.c[name]), 0) for name in CHARTED)
    row = connection.execute(select(*sums).where(rollout_minutes.c.rollout_id == rollout_id)).one()
    return {name: int(number) for name, number in zip(CHARTED, row, strict=True)}
