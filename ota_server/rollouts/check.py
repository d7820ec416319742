# SPDX-License-Identifier: Apache-2.0
"""Recomputes what rollouts have counted from attempts and outcomes, and looks at what must hold between their rows."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import replace

from sqlalchemy import Connection, String, and_, case, func, or_, select, type_coerce
from sqlalchemy.sql.elements import ColumnElement

from ota_server.devices.models import devices
from ota_server.releases.models import PatchStatus, images, patches, releases
from ota_server.rollouts import counts, course, store
from ota_server.rollouts.baseline import WEEK_MS
from ota_server.rollouts.counts import AttemptCounts
from ota_server.rollouts.models import (
    CHARTED,
    COUNTERS,
    ENDS,
    AttemptStatus,
    OutcomeKind,
    Rollout,
    RolloutStatus,
    Stage,
    attempts,
    outcomes,
    rollouts,
    version_weeks,
)
from ota_server.storage.check import Difference
from ota_server.telemetry.models import crashes


def check_rollouts(connection: Connection) -> Iterator[Difference]:
    """Everything that is not as it must be, in a few statements for each rollout and a few for all attempts."""
    numbers = connection.execute(select(rollouts.c.id).order_by(rollouts.c.id)).scalars().all()
    for number in numbers:
        rollout = store.get(connection, number)
        assert rollout is not None
        yield from _check_counters(connection, rollout)
        yield from check_stages(rollout, store.stages_of(connection, number))
    yield from _check_attempts(connection)
    yield from _check_latest(connection)
    yield from _check_outcomes(connection)
    yield from _check_crashes(connection)


def recount(connection: Connection, rollout: Rollout) -> Rollout:
    """The rollout with its counters made anew from attempts and outcomes; equal to the stored one, or a bug."""
    made = dict.fromkeys(COUNTERS, 0)
    made["offered"] = counts.recount(connection, rollout.id).offered
    made["crashed"], made["crashed_early"] = store.count_crashes(connection, rollout.id)
    for kind, is_failure, number in store.count_by_kind(connection, rollout.id):
        made[kind.value] += number
        # The third time counts as a failure besides.
        if is_failure and kind in (OutcomeKind.NO_CONTACT, OutcomeKind.STOPPED):
            made["failed"] += number
    return replace(rollout, **made)  # type: ignore[arg-type]  # counters are fields


def check_stages(rollout: Rollout, stages: list[Stage]) -> Iterator[Difference]:
    """No stage is over without what its gate asks for, and they ended one after the other."""
    place = f"rollout {rollout.id}"
    if not 0 <= rollout.stage < len(stages):
        yield Difference(place, f"it is in stage {rollout.stage + 1} of {len(stages)}")
    for stage in stages:
        of_stage = f"{place}, stage {stage.position + 1}"
        is_over = stage.position < rollout.stage or rollout.status is RolloutStatus.COMPLETED
        if rollout.status is RolloutStatus.ABORTED and stage.position == len(stages) - 1:
            # It may have been completed before.
            is_over = stage.ended_ms is not None
        has_begun = stage.position <= rollout.stage and rollout.started_ms is not None
        if (stage.ended_ms is not None) != is_over:
            yield Difference(of_stage, "it is over, and has no end" if is_over else "it has an end, and is not over")
        if (stage.started_ms is not None) != has_begun:
            yield Difference(of_stage, "it has begun, without a time" if has_begun else "it has not begun, at a time")
        needed = stage.gate.min_confirmed
        if is_over and rollout.confirmed < needed:
            text = f"it is over with {rollout.confirmed} confirmed boots, and its gate asks for {needed}"
            yield Difference(of_stage, text)


def _check_counters(connection: Connection, rollout: Rollout) -> Iterator[Difference]:
    kept = _named(rollout, counts.get(connection, rollout.id), counts.reasons(connection, rollout.id))
    kept |= {f"{name} over time": number for name, number in course.total(connection, rollout.id).items()}
    again = recount(connection, rollout)
    made = _named(again, counts.recount(connection, rollout.id), counts.recount_reasons(connection, rollout.id))
    made |= {f"{name} over time": getattr(again, name) for name in CHARTED}
    for name in sorted(kept.keys() | made.keys()):
        if kept.get(name, 0) != made.get(name, 0):
            text = f"`{name}` is {kept.get(name, 0)}, and its rows say {made.get(name, 0)}"
            yield Difference(f"rollout {rollout.id}", text)


def _named(rollout: Rollout, places: AttemptCounts, reasons: list[tuple[OutcomeKind, int, int]]) -> dict[str, int]:
    """Everything that is counted of a rollout."""
    return {
        **{name: getattr(rollout, name) for name in COUNTERS},
        **{f"latest {status}": number for status, number in places.devices.items()},
        "bytes sent": places.bytes_sent,
        "bytes saved": places.bytes_saved,
        **{f"{kind} for {reason}": number for kind, reason, number in reasons},
    }


def _check_attempts(connection: Connection) -> Iterator[Difference]:
    """A device has one open attempt at most, and knows it; what is offered can be fetched."""
    is_open = attempts.c.status.not_in(ENDS)
    is_own = devices.c.open_attempt == attempts.c.number
    faults: dict[str, ColumnElement[bool]] = {
        "it is open, and its device does not know it": and_(is_open, or_(devices.c.open_attempt.is_(None), ~is_own)),
        "it is over, and its device takes it as open": and_(~is_open, func.coalesce(is_own, False)),
        "its number is above those that its device has been given": attempts.c.number > devices.c.attempt_counter,
        "it is open, and its patch is not ready": and_(is_open, patches.c.status != PatchStatus.READY),
    }
    for text, fault in faults.items():
        query = (
            select(devices.c.device_id, attempts.c.number)
            .join_from(attempts, devices, devices.c.id == attempts.c.device_row)
            .join(patches, patches.c.id == attempts.c.patch_id)
            .where(fault)
        )
        for device_id, number in connection.execute(query):
            yield Difference(f"attempt {number} of device {device_id}", text)
    query = (
        select(devices.c.device_id, devices.c.open_attempt)
        .outerjoin(attempts, and_(attempts.c.device_row == devices.c.id, is_own))
        .where(devices.c.open_attempt.is_not(None), attempts.c.id.is_(None))
    )
    for device_id, number in connection.execute(query):
        yield Difference(f"device {device_id}", f"attempt {number} is open, and there is no such attempt")


def _check_latest(connection: Connection) -> Iterator[Difference]:
    """Of a device's attempts in a rollout the newest is the latest one, and no other."""
    newest = func.max(attempts.c.number)
    latest = func.sum(case((attempts.c.is_latest.is_(True), 1), else_=0))
    newest_latest = func.max(case((attempts.c.is_latest.is_(True), attempts.c.number), else_=0))
    query = (
        select(devices.c.device_id, attempts.c.rollout_id, newest, latest, newest_latest)
        .join_from(attempts, devices, devices.c.id == attempts.c.device_row)
        .where(attempts.c.rollout_id.is_not(None))
        .group_by(devices.c.id, devices.c.device_id, attempts.c.rollout_id)
        .having(or_(latest != 1, newest != newest_latest))
    )
    for device_id, rollout_id, newest_number, count, marked in connection.execute(query):
        text = f"attempt {newest_number} is the newest; {count} are marked as the latest, up to {marked}"
        yield Difference(f"device {device_id} in rollout {rollout_id}", text)


def _check_outcomes(connection: Connection) -> Iterator[Difference]:
    """An attempt that came to an end has an outcome that says the same, and no other attempt has one."""
    status, kind = type_coerce(attempts.c.status, String), type_coerce(outcomes.c.kind, String)
    same_attempt = and_(outcomes.c.device_row == attempts.c.device_row, outcomes.c.attempt == attempts.c.number)
    expected = case((attempts.c.status.in_([AttemptStatus(kind.value) for kind in OutcomeKind]), status), else_="")
    is_another = or_(
        outcomes.c.rollout_id.is_distinct_from(attempts.c.rollout_id),
        outcomes.c.target_identity != attempts.c.target_identity,
    )
    query = (
        select(devices.c.device_id, attempts.c.number, status, kind)
        .join_from(attempts, devices, devices.c.id == attempts.c.device_row)
        .outerjoin(outcomes, same_attempt)
        .where(or_(expected != func.coalesce(kind, ""), and_(outcomes.c.id.is_not(None), is_another)))
    )
    for device_id, number, is_now, told in connection.execute(query):
        whose = ", of another rollout or image" if is_now == told else ""
        text = f"it is {is_now}; its outcome is {told or 'not there'}{whose}"
        yield Difference(f"attempt {number} of device {device_id}", text)
    lost = (
        select(devices.c.device_id, outcomes.c.attempt)
        .join_from(outcomes, devices, devices.c.id == outcomes.c.device_row)
        .outerjoin(attempts, same_attempt)
        .where(attempts.c.id.is_(None))
    )
    for device_id, number in connection.execute(lost):
        yield Difference(f"device {device_id}", f"there is an outcome of attempt {number}, and no such attempt")


def _check_crashes(connection: Connection) -> Iterator[Difference]:
    """No week of a version has counted more devices that crashed than have told a crash of its images in it.

    It may have counted fewer: devices for development are left out, and they may be for something else by now.
    """
    versions: defaultdict[tuple[int, bytes], set[int]] = defaultdict(set)
    query = select(images.c.product_id, images.c.identity, releases.c.version).join_from(images, releases)
    for product_id, identity, version in connection.execute(query):
        versions[product_id, identity[:8]].add(version)
    told: Counter[tuple[int, int, int]] = Counter()
    week = crashes.c.at_ms // WEEK_MS
    count = func.count(crashes.c.device_row.distinct())
    rows = connection.execute(
        select(crashes.c.product_id, crashes.c.identity8, week, count).group_by(
            crashes.c.product_id, crashes.c.identity8, week
        )
    )
    for product_id, identity8, number, devices_told in rows:
        for version in versions[product_id, identity8]:
            told[product_id, version, number] += devices_told
    kept = version_weeks.c
    for product_id, version, number, crashed in connection.execute(
        select(kept.product_id, kept.version, kept.week, kept.crashed)
    ):
        if crashed > told[product_id, version, number]:
            place = f"week {number} of version {version} of product {product_id}"
            text = f"`crashed` is {crashed}, and devices say {told[product_id, version, number]}"
            yield Difference(place, text)
