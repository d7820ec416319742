# SPDX-License-Identifier: Apache-2.0
"""Which devices a cohort holds now: counted, told apart, and some of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, func, select

from ota_server.devices.models import DeviceStatus, devices
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


@dataclass(frozen=True, slots=True)
class Preview:
    """A product's devices in a cohort.

    Attributes:
        devices: all of them.
        of: how many devices the product has.
        left_out: those that no rollout reaches, by why.
        platforms, versions: devices by platform id and by the version that they run; None: not told yet.
        sample: some of them.
    """

    devices: int
    of: int
    left_out: Mapping[str, int]
    platforms: Mapping[int | None, int]
    versions: Mapping[int | None, int]
    sample: Sequence[Sampled]


def preview(connection: Connection, product_id: int, cohort: Cohort, now_ms: int) -> Preview:
    """Looks at a product's devices. A percentage is drawn as by a rollout of its own.

    Raises:
        NotFound, Invalid: it names a saved cohort that is not there, or is too large with them.
    """
    condition = cohorts.condition(connection, product_id, cohort, now_ms)
    where = (devices.c.product_id == product_id, condition)
    told_apart = (
        devices.c.platform_id,
        devices.c.product_version,
        devices.c.status,
        devices.c.development,
        devices.c.locked_version.is_not(None).label("is_locked"),
    )
    platforms: Counter[int | None] = Counter()
    versions: Counter[int | None] = Counter()
    left_out: Counter[str] = Counter()
    count = func.count().label("devices")
    for row in connection.execute(select(*told_apart, count).where(*where).group_by(*told_apart)):
        platforms[row.platform_id] += row.devices
        versions[row.product_version] += row.devices
        if row.status is not DeviceStatus.ACTIVE:
            left_out[row.status.value] += row.devices
        elif row.development:
            left_out["development"] += row.devices
        elif row.is_locked:
            left_out["locked"] += row.devices
    total = connection.execute(select(func.count()).where(devices.c.product_id == product_id)).scalar_one()
    sample = _sample(connection, where) if platforms else []
    return Preview(platforms.total(), total, left_out, platforms, versions, sample)


def _sample(connection: Connection, where: Sequence[ColumnElement[bool]]) -> list[Sampled]:
    shown = (devices.c.device_id, devices.c.name, devices.c.platform_id, devices.c.product_version)
    rows = connection.execute(select(*shown).where(*where).order_by(devices.c.device_id, devices.c.id).limit(SAMPLE))
    return [Sampled(*row) for row in rows]
