# SPDX-License-Identifier: Apache-2.0
"""SQL for rollouts, attempts and outcomes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import fields
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, case, delete, func, insert, or_, select, update

from ota_server.accounts.models import accounts
from ota_server.devices.models import devices
from ota_server.moves import check_move
from ota_server.releases.models import patches, releases
from ota_server.rollouts import counts, course
from ota_server.rollouts.fleet_scan import RolloutScan
from ota_server.rollouts.models import (
    ATTEMPT_MOVES,
    IS_TROUBLE,
    ROLLOUT_MOVES,
    Attempt,
    AttemptStatus,
    Outcome,
    OutcomeKind,
    Rollout,
    RolloutStatus,
    Stage,
    approvals,
    attempts,
    fleet_scans,
    outcomes,
    rollout_crashes,
    rollout_scans,
    rollouts,
    stages,
)
from ota_server.storage.sql import has_part, insert_once

_BEGUN = (RolloutStatus.RUNNING, RolloutStatus.PAUSED, RolloutStatus.COMPLETED)
"""What a rollout has brought out goes on being brought out."""
_ROLLOUT = [rollouts.c[field.name] for field in fields(Rollout)]
_STAGE = [stages.c[field.name] for field in fields(Stage)]
_ATTEMPT = [attempts.c[field.name] for field in fields(Attempt)]
_OUTCOME = [outcomes.c[field.name] for field in fields(Outcome)]


def get(connection: Connection, rollout_id: int) -> Rollout | None:
    row = connection.execute(select(*_ROLLOUT).where(rollouts.c.id == rollout_id)).first()
    return None if row is None else Rollout(*row)


def of_product(connection: Connection, product_id: int) -> list[Rollout]:
    """Newest first."""
    rows = connection.execute(
        select(*_ROLLOUT).where(rollouts.c.product_id == product_id).order_by(rollouts.c.id.desc())
    )
    return [Rollout(*row) for row in rows]


def named(connection: Connection, product_id: int, text: str, limit: int) -> list[Rollout]:
    """Those with this in their name, newest first."""
    query = select(*_ROLLOUT).where(rollouts.c.product_id == product_id, has_part(connection, rollouts.c.name, text))
    return [Rollout(*row) for row in connection.execute(query.order_by(rollouts.c.id.desc()).limit(limit))]


def has_any_of(connection: Connection, release_id: int) -> bool:
    """Whether there is a rollout of this release, in whatever state."""
    return (
        connection.execute(select(rollouts.c.id).where(rollouts.c.release_id == release_id).limit(1)).first()
        is not None
    )


def has_confirmed(connection: Connection, release_id: int) -> bool:
    """Whether a rollout of this release had a confirmed boot."""
    query = select(rollouts.c.id).where(rollouts.c.release_id == release_id, rollouts.c.confirmed > 0).limit(1)
    return connection.execute(query).first() is not None


def has_attempt_with(connection: Connection, identities: Collection[bytes]) -> bool:
    """Whether a device was offered one of these images, or a patch from one."""
    either = or_(patches.c.base_identity.in_(identities), patches.c.target_identity.in_(identities))
    query = select(attempts.c.id).join(patches, patches.c.id == attempts.c.patch_id).where(either).limit(1)
    return connection.execute(query).first() is not None


def deciding_of(connection: Connection, product_id: int, statuses: Collection[RolloutStatus]) -> list[Rollout]:
    """Those of these statuses, and those that go back and have completed, newest first.

    None goes back from a version that a newer one brings out again.
    """
    goes_back = and_(rollouts.c.undoes.is_not(None), rollouts.c.status == RolloutStatus.COMPLETED)
    rows = connection.execute(
        select(*_ROLLOUT)
        .where(
            rollouts.c.product_id == product_id,
            or_(rollouts.c.status.in_(statuses), goes_back),
            ~_has_later("version", rollouts.c.undoes),
        )
        .order_by(rollouts.c.id.desc())
    )
    return [Rollout(*row) for row in rows]


def completed_of(connection: Connection, product_id: int, version: int) -> Rollout | None:
    """The newest rollout of a version that was completed."""
    found = _completed(connection, product_id, rollouts.c.version == version, 1)
    return found[0] if found else None


def completed_above(connection: Connection, product_id: int, version: int, limit: int) -> list[Rollout]:
    """Completed rollouts of higher versions that nobody has killed or gone back from since, newest first."""
    killed = select(releases.c.id).where(releases.c.id == rollouts.c.release_id, releases.c.killed_ms.is_not(None))
    goes_on = and_(rollouts.c.undoes.is_(None), ~_has_later("undoes", rollouts.c.version), ~killed.exists())
    return _completed(connection, product_id, and_(rollouts.c.version > version, goes_on), limit)


def _has_later(name: str, value: ColumnElement[Any]) -> ColumnElement[bool]:
    """Whether a later rollout of the same product has begun that has this value in a column."""
    later = rollouts.alias()
    found = select(later.c.id).where(
        later.c.product_id == rollouts.c.product_id,
        later.c[name] == value,
        later.c.id > rollouts.c.id,
        later.c.status.in_(_BEGUN),
    )
    return found.exists()


def _completed(connection: Connection, product_id: int, where: ColumnElement[bool], limit: int) -> list[Rollout]:
    rows = connection.execute(
        select(*_ROLLOUT)
        .where(rollouts.c.product_id == product_id, rollouts.c.status == RolloutStatus.COMPLETED, where)
        .order_by(rollouts.c.id.desc())
        .limit(limit)
    )
    return [Rollout(*row) for row in rows]


def take_turn(connection: Connection, rollout_id: int, per_minute: int, now_ms: int) -> bool:
    """Counts an offer in this minute; False, and nothing is counted, when it has as many already."""
    minute = now_ms // 60_000
    is_same = rollouts.c.minute == minute
    result = connection.execute(
        update(rollouts)
        .where(rollouts.c.id == rollout_id, or_(~is_same, rollouts.c.minute_offers < per_minute))
        .values(minute=minute, minute_offers=case((is_same, rollouts.c.minute_offers + 1), else_=1))
    )
    return result.rowcount == 1


def first_asked_ms(connection: Connection, device_row: int, target_identity: bytes) -> int | None:
    """When a device was first asked whether it lets an offer of this image begin."""
    query = select(func.min(attempts.c.asked_ms)).where(
        attempts.c.device_row == device_row, attempts.c.target_identity == target_identity
    )
    asked_ms: int | None = connection.execute(query).scalar_one()
    return asked_ms


def under_way(connection: Connection) -> list[Rollout]:
    """Every product's rollouts that may still move by themselves."""
    rows = connection.execute(
        select(*_ROLLOUT)
        .where(rollouts.c.status.in_((RolloutStatus.SCHEDULED, RolloutStatus.RUNNING)))
        .order_by(rollouts.c.id)
    )
    return [Rollout(*row) for row in rows]


def newest_running(connection: Connection, limit: int) -> list[Rollout]:
    """Of all products, newest first."""
    query = select(*_ROLLOUT).where(rollouts.c.status == RolloutStatus.RUNNING)
    return [Rollout(*row) for row in connection.execute(query.order_by(rollouts.c.id.desc()).limit(limit))]


def stages_of(connection: Connection, rollout_id: int) -> list[Stage]:
    rows = connection.execute(select(*_STAGE).where(stages.c.rollout_id == rollout_id).order_by(stages.c.position))
    return [Stage(*row) for row in rows]


def add(connection: Connection, values: Mapping[str, object], stage_values: list[dict[str, object]]) -> int:
    key = connection.execute(insert(rollouts).values(**values)).inserted_primary_key
    assert key is not None
    rollout_id = int(key[0])
    connection.execute(
        insert(stages),
        [{"rollout_id": rollout_id, "position": position, **item} for position, item in enumerate(stage_values)],
    )
    counts.add(connection, rollout_id)
    return rollout_id


def move_rollout(connection: Connection, rollout: Rollout, status: RolloutStatus, values: Mapping[str, object]) -> None:
    """The one place that changes a rollout's status. Raises Conflict for a move that is not allowed."""
    check_move(ROLLOUT_MOVES, f"rollout {rollout.id}", rollout.status, status)
    connection.execute(update(rollouts).where(rollouts.c.id == rollout.id).values(status=status, **values))


def change(connection: Connection, rollout_id: int, values: Mapping[str, object]) -> None:
    """Changes columns other than the status."""
    assert "status" not in values
    connection.execute(update(rollouts).where(rollouts.c.id == rollout_id).values(**values))


def change_stage(connection: Connection, rollout_id: int, position: int, values: Mapping[str, object]) -> None:
    connection.execute(
        update(stages).where(stages.c.rollout_id == rollout_id, stages.c.position == position).values(**values)
    )


def add_approval(connection: Connection, rollout_id: int, position: int, account_id: int, at_ms: int) -> bool:
    """Adds an approval of a stage; False when the account has approved it before."""
    values = {"rollout_id": rollout_id, "position": position, "account_id": account_id, "at_ms": at_ms}
    return insert_once(connection, approvals, values)


def forget_approvals(connection: Connection, rollout_id: int, position: int) -> None:
    connection.execute(delete(approvals).where(approvals.c.rollout_id == rollout_id, approvals.c.position == position))


def approvals_of(connection: Connection, rollout_id: int) -> list[tuple[int, str, int]]:
    """(position of the stage, address of who approved it, time), first ones first."""
    rows = connection.execute(
        select(approvals.c.position, accounts.c.email, approvals.c.at_ms)
        .join_from(approvals, accounts, accounts.c.id == approvals.c.account_id)
        .where(approvals.c.rollout_id == rollout_id)
        .order_by(approvals.c.position, approvals.c.at_ms, accounts.c.id)
    )
    return [(position, email, at_ms) for position, email, at_ms in rows]


def count_approvals(connection: Connection, rollout_id: int, position: int) -> int:
    return connection.execute(
        select(func.count())
        .select_from(approvals)
        .where(approvals.c.rollout_id == rollout_id, approvals.c.position == position)
    ).scalar_one()


def count_up(connection: Connection, rollout_id: int, now_ms: int, *counters: str) -> None:
    """Counts something that came now, in the rollout and in its course."""
    added = Counter(counters)
    values = {name: rollouts.c[name] + number for name, number in added.items()}
    connection.execute(update(rollouts).where(rollouts.c.id == rollout_id).values(values))
    course.add(connection, rollout_id, now_ms, added)


def attempt_of(connection: Connection, device_row: int, number: int) -> Attempt | None:
    row = connection.execute(
        select(*_ATTEMPT).where(attempts.c.device_row == device_row, attempts.c.number == number)
    ).first()
    return None if row is None else Attempt(*row)


def attempts_of_device(connection: Connection, device_row: int, limit: int = 50) -> list[Attempt]:
    """Newest first."""
    rows = connection.execute(
        select(*_ATTEMPT).where(attempts.c.device_row == device_row).order_by(attempts.c.number.desc()).limit(limit)
    )
    return [Attempt(*row) for row in rows]


def add_attempt(connection: Connection, values: Mapping[str, Any]) -> bool:
    """Adds an attempt as its device's latest in its rollout; True when it is the first one there."""
    rollout_id = values["rollout_id"]
    before: AttemptStatus | None = None
    if rollout_id is not None:
        before = connection.execute(
            update(attempts)
            .where(
                attempts.c.device_row == values["device_row"],
                attempts.c.rollout_id == rollout_id,
                attempts.c.is_latest.is_(True),
            )
            .values(is_latest=False)
            .returning(attempts.c.status)
        ).scalar_one_or_none()
        counts.offered(connection, rollout_id, before)
    held = {"full_size": 0} if before in (AttemptStatus.INTERRUPTED, AttemptStatus.NO_CONTACT) else {}
    connection.execute(insert(attempts).values({**values, **held, "is_latest": True}))
    return before is None


def move_attempt(connection: Connection, attempt: Attempt, status: AttemptStatus, values: Mapping[str, object]) -> None:
    """The one place that changes an attempt's status. Raises Conflict for a move that is not allowed."""
    check_move(ATTEMPT_MOVES, f"attempt {attempt.number}", attempt.status, status)
    received = counts.moved(connection, attempt, status)
    connection.execute(
        update(attempts).where(attempts.c.id == attempt.id).values(status=status, received=received, **values)
    )


def set_postponed(connection: Connection, attempt_id: int, until_ms: int | None) -> None:
    connection.execute(update(attempts).where(attempts.c.id == attempt_id).values(postponed_until_ms=until_ms))


def set_received(connection: Connection, attempt_id: int, received: int) -> None:
    connection.execute(update(attempts).where(attempts.c.id == attempt_id).values(received=received))


def add_outcome(connection: Connection, values: Mapping[str, object]) -> bool:
    """Adds an outcome; False when the attempt has one already."""
    return insert_once(connection, outcomes, values)


def add_crash(connection: Connection, rollout_id: int, device_row: int, is_early: bool, at_ms: int) -> bool:
    """Adds a crash; False when the device has crashed in this rollout before."""
    values = {"rollout_id": rollout_id, "device_row": device_row, "is_early": is_early, "at_ms": at_ms}
    return insert_once(connection, rollout_crashes, values)


def count_crashes(connection: Connection, rollout_id: int) -> tuple[int, int]:
    """How many devices crashed in a rollout, and how many of them early."""
    is_early = rollout_crashes.c.is_early
    query = select(func.count(), func.coalesce(func.sum(case((is_early, 1), else_=0)), 0))
    row = connection.execute(query.where(rollout_crashes.c.rollout_id == rollout_id)).one()
    return int(row[0]), int(row[1])


def count_outcomes(connection: Connection, device_row: int, target_identity: bytes, kind: OutcomeKind) -> int:
    """How often this image came to this end on this device."""
    return connection.execute(
        select(func.count())
        .select_from(outcomes)
        .where(
            outcomes.c.device_row == device_row,
            outcomes.c.target_identity == target_identity,
            outcomes.c.kind == kind,
        )
    ).scalar_one()


def outcomes_of(connection: Connection, rollout_id: int) -> list[Outcome]:
    rows = connection.execute(select(*_OUTCOME).where(outcomes.c.rollout_id == rollout_id).order_by(outcomes.c.id))
    return [Outcome(*row) for row in rows]


def count_by_kind(connection: Connection, rollout_id: int) -> list[tuple[OutcomeKind, bool, int]]:
    """How many outcomes of a rollout are of each kind, failures apart."""
    rows = connection.execute(
        select(outcomes.c.kind, outcomes.c.is_failure, func.count())
        .where(outcomes.c.rollout_id == rollout_id)
        .group_by(outcomes.c.kind, outcomes.c.is_failure)
    )
    return [(kind, is_failure, number) for kind, is_failure, number in rows]


def troubled_devices(connection: Connection, rollout_id: int, limit: int = 50) -> list[tuple[str, OutcomeKind, int]]:
    """(device id, kind, reason) of outcomes that were no success, newest first."""
    rows = connection.execute(
        select(devices.c.device_id, outcomes.c.kind, outcomes.c.reason)
        .join(devices, devices.c.id == outcomes.c.device_row)
        .where(outcomes.c.rollout_id == rollout_id, IS_TROUBLE)
        .order_by(outcomes.c.id.desc())
        .limit(limit)
    )
    return [(device_id, kind, reason) for device_id, kind, reason in rows]


def update_durations(connection: Connection, rollout: Rollout, limit: int = 200) -> list[int]:
    """Milliseconds from offers to confirmed boots, of some updates by a product's last rollouts."""
    last = select(rollouts.c.id).where(rollouts.c.product_id == rollout.product_id).order_by(rollouts.c.id.desc())
    query = select(attempts.c.ended_ms - attempts.c.offered_ms).where(
        attempts.c.rollout_id.in_(connection.execute(last.limit(5)).scalars().all()),
        attempts.c.is_latest.is_(True),
        attempts.c.status == AttemptStatus.CONFIRMED,
    )
    return [max(duration, 0) for duration in connection.execute(query.limit(limit)).scalars()]


def scan_of(connection: Connection, rollout_id: int, is_sampled: bool = False) -> RolloutScan | None:
    """The last scan for a rollout, without its sample unless that is asked for; None before the first."""
    columns = (rollout_scans.c.found, rollout_scans.c.sample) if is_sampled else (rollout_scans.c.found,)
    row = connection.execute(select(*columns).where(rollout_scans.c.rollout_id == rollout_id)).first()
    return None if row is None else RolloutScan.from_text(*row)


def ask_scan(connection: Connection, product_id: int) -> None:
    """Has the devices of a product looked at as soon as can be."""
    connection.execute(update(fleet_scans).where(fleet_scans.c.product_id == product_id).values(is_wanted=True))


def end_scan(connection: Connection, product_id: int, took_ms: int) -> None:
    connection.execute(update(fleet_scans).where(fleet_scans.c.product_id == product_id).values(took_ms=took_ms))


def forecast_of(connection: Connection, rollout_id: int) -> str | None:
    """The last forecast; see `Forecast.from_text`."""
    query = select(rollout_scans.c.forecast).where(rollout_scans.c.rollout_id == rollout_id)
    return connection.execute(query).scalar_one_or_none()


def keep_scan(connection: Connection, rollout_id: int, scan: RolloutScan, forecast: str) -> None:
    """Puts a scan, and the forecast made of it, in the place of those before."""
    connection.execute(delete(rollout_scans).where(rollout_scans.c.rollout_id == rollout_id))
    values = {"rollout_id": rollout_id, "found": scan.to_text(), "sample": scan.sample_to_bytes(), "forecast": forecast}
    connection.execute(insert(rollout_scans).values(**values))
