# SPDX-License-Identifier: Apache-2.0
"""How the versions before a rollout fared, to hold its own version against.

Two things are known of a version without looking at devices: how many that were offered it by rollouts failed or
reverted, and, week by week, how many devices were heard running it and how many of these crashed. Weeks are those of
the epoch. What is known when a rollout begins is copied then, and does not change while it is compared with.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields

from sqlalchemy import Connection, delete, func, insert, select, update

from ota_server.devices.models import Device
from ota_server.releases import store as releases
from ota_server.rollouts.models import Rollout, baselines, rollouts, version_weeks
from ota_server.storage.sql import add_up
from ota_server.telemetry import store as telemetry

WEEK_MS = 7 * 24 * 3600 * 1000
WEEKS_KEPT = 8

Heard = tuple[int, int, int]
"""Product, version, week."""


@dataclass(frozen=True, slots=True)
class Baseline:
    """A version that devices of a rollout ran before.

    Attributes:
        devices: that were offered the rollout and ran it.
        heard, crashed: devices that were heard running it in the last whole week before the rollout began, and those
            of them that crashed in it.
        offered, failures, reverted: devices that earlier rollouts offered it to, and what came of that.
    """

    version: int
    devices: int
    heard: int
    crashed: int
    offered: int
    failures: int
    reverted: int


_BASELINE = [baselines.c[field.name] for field in fields(Baseline)]


def week_of(at_ms: int) -> int:
    return at_ms // WEEK_MS


def add_heard(connection: Connection, counts: Mapping[Heard, int]) -> None:
    """Adds devices that were heard running a version, for the first time in a week."""
    for (product_id, version, week), count in counts.items():
        _count_up(connection, product_id, version, week, "heard", count)


def count_crash(connection: Connection, device: Device, identity: bytes, now_ms: int) -> None:
    """Counts a crash that has been added to the device's, as the version's first one of this device and week.

    An image that the server does not have is no version to go back to; devices for development try what they like.
    """
    if device.development or device.platform_id is None:
        return
    image = releases.running_image(connection, device.product_id, device.platform_id, identity)
    week = week_of(now_ms)
    if image is None or telemetry.count_crashes(connection, device.id, identity, week * WEEK_MS) != 1:
        return
    _count_up(connection, device.product_id, image.version, week, "crashed", 1)


def keep(connection: Connection, rollout: Rollout, now_ms: int) -> None:
    """Copies what is known of every other version when a rollout begins."""
    week = version_weeks.c
    query = select(week.version, week.heard, week.crashed).where(
        week.product_id == rollout.product_id, week.week == week_of(now_ms) - 1
    )
    heard = {version: (heard, crashed) for version, heard, crashed in connection.execute(query)}
    column = rollouts.c
    sums = select(
        column.version,
        func.sum(column.offered),
        func.sum(column.reverted + column.failed),
        func.sum(column.reverted),
    ).where(column.product_id == rollout.product_id, column.started_ms.is_not(None), column.id != rollout.id)
    offered = {row[0]: tuple(row[1:]) for row in connection.execute(sums.group_by(column.version))}
    versions = {release.version for release in releases.releases_of(connection, rollout.product_id)}
    rows = []
    for version in sorted(versions - {rollout.version}):
        seen, tried = heard.get(version, (0, 0)), offered.get(version, (0, 0, 0))
        values = (version, 0, *seen, *tried)
        names = (field.name for field in fields(Baseline))
        rows.append({"rollout_id": rollout.id, **dict(zip(names, values, strict=True))})
    if rows:
        connection.execute(insert(baselines), rows)


def count_device(connection: Connection, rollout_id: int, version: int | None) -> None:
    """Counts a device that is offered a rollout, by the version that it runs."""
    where = (baselines.c.rollout_id == rollout_id, baselines.c.version == version)
    connection.execute(update(baselines).where(*where).values(devices=baselines.c.devices + 1))


def before(connection: Connection, rollout_id: int) -> Baseline | None:
    """The version that most of the devices ran that were offered a rollout; the newest of several."""
    row = connection.execute(
        select(*_BASELINE)
        .where(baselines.c.rollout_id == rollout_id, baselines.c.devices > 0)
        .order_by(baselines.c.devices.desc(), baselines.c.version.desc())
        .limit(1)
    ).first()
    return None if row is None else Baseline(*row)


def forget_old(connection: Connection, now_ms: int) -> None:
    """Removes the counts of weeks that no rollout will ask for."""
    connection.execute(delete(version_weeks).where(version_weeks.c.week < week_of(now_ms) - WEEKS_KEPT))


def _count_up(connection: Connection, product_id: int, version: int, week: int, name: str, count: int) -> None:
    key = {"product_id": product_id, "version": version, "week": week}
    add_up(connection, version_weeks, key, {name: count})
