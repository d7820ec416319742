# SPDX-License-Identifier: Apache-2.0
"""Which devices a cohort holds now: counted, told apart, and some of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlalchemy import ColumnElement, Connection, func, select

from ota_server.devices import walk
from ota_server.devices.models import DeviceStatus, devices
from ota_server.devices.walk import Enough, Span
from ota_server.rollouts import cohorts
from ota_server.rollouts.cohort import Cohort

SAMPLE = 10


@dataclass(frozen=True, slots=True)
class Sampled:
    """One of the devices."""

    device_id: str
    name: str
    platform_id: int | None
    version: int | None


@dataclass(slots=True)
class Preview:
    """A product's devices in a cohort, of those that were looked at.

    Attributes:
        of: how many devices were looked at; all of the product's in the end.
        after: the last row of these.
        is_done: there is none behind.
        left_out: those that no rollout reaches, by why.
        platforms, versions: devices by platform id and by the version that they run; None: not told yet.
        rows: of some of them.
    """

    of: int = 0
    after: int = 0
    is_done: bool = False
    left_out: Counter[str] = field(default_factory=Counter)
    platforms: Counter[int | None] = field(default_factory=Counter)
    versions: Counter[int | None] = field(default_factory=Counter)
    rows: list[int] = field(default_factory=list)

    @property
    def devices(self) -> int:
        """All of them."""
        return self.platforms.total()


def preview(
    connection: Connection,
    product_id: int,
    cohort: Cohort,
    now_ms: int,
    so_far: Preview | None = None,
    enough: Enough = lambda: False,
) -> Preview:
    """Looks at a product's devices, from the first one or from where a preview ended, until it is enough.

    A percentage is drawn as by a rollout of its own.

    Raises:
        NotFound, Invalid: it names a saved cohort that is not there, or is too large with them.
    """
    condition = cohorts.condition(connection, product_id, cohort, now_ms)
    seen = so_far or Preview()
    for span in walk.spans(connection, product_id, seen.after):
        _add(connection, seen, span, condition)
        if enough():
            break
    seen.is_done = not walk.has_more(connection, product_id, seen.after)
    return seen


def sampled(connection: Connection, product_id: int, rows: Sequence[int]) -> list[Sampled]:
    """What is shown of some devices of a product."""
    shown = (devices.c.device_id, devices.c.name, devices.c.platform_id, devices.c.product_version)
    # Sorted here, and the sum: SQLite would read an index of the whole product, which has them in this order.
    query = select(*shown).where(devices.c.id.in_(rows), devices.c.product_id + 0 == product_id)
    return sorted((Sampled(*row) for row in connection.execute(query)), key=lambda one: one.device_id)


def _add(connection: Connection, seen: Preview, span: Span, condition: ColumnElement[bool]) -> None:
    where = (span.condition, condition)
    told_apart = (
        devices.c.platform_id,
        devices.c.product_version,
        devices.c.status,
        devices.c.development,
        devices.c.locked_version.is_not(None).label("is_locked"),
    )
    count = func.count().label("devices")
    for row in connection.execute(select(*told_apart, count).where(*where).group_by(*told_apart)):
        seen.platforms[row.platform_id] += row.devices
        seen.versions[row.product_version] += row.devices
        if row.status is not DeviceStatus.ACTIVE:
            seen.left_out[row.status.value] += row.devices
        elif row.development:
            seen.left_out["development"] += row.devices
        elif row.is_locked:
            seen.left_out["locked"] += row.devices
    if len(seen.rows) < min(SAMPLE, seen.devices):
        query = select(devices.c.id).where(*where).order_by(devices.c.id).limit(SAMPLE - len(seen.rows))
        seen.rows += connection.execute(query).scalars()
    seen.of += span.devices
    seen.after = span.last
