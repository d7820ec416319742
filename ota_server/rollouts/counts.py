# SPDX-License-Identifier: Apache-2.0
"""Where a rollout's devices stand, counted as they move: reading it looks at no device, attempt or outcome.

Each change is in the commit of the attempt or outcome that it counts. `recount` makes the numbers anew from these.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, and_, case, func, insert, select, update

from ota_server.rollouts.models import (
    Attempt,
    AttemptStatus,
    OutcomeKind,
    attempt_counts,
    attempts,
    outcomes,
    trouble_counts,
)
from ota_server.storage.sql import add_up

REASONS_MAX = 50
"""Reasons that are told of a rollout."""

_WHOLE = frozenset(AttemptStatus) - {
    AttemptStatus.OFFERED,
    AttemptStatus.DOWNLOADING,
    AttemptStatus.STOPPED,
    AttemptStatus.WITHDRAWN,
}
"""Whoever is there has the whole patch."""
_LOADING = (AttemptStatus.OFFERED, AttemptStatus.DOWNLOADING)
"""What they have received is not counted before they stop."""


@dataclass(frozen=True, slots=True)
class AttemptCounts:
    """Devices by the status of their latest attempt in a rollout, and what they fetched.

    Attributes:
        bytes_sent: of patches and full images, by every attempt.
        bytes_saved: what full images in place of the patches that were fetched whole would have cost more.
    """

    devices: Mapping[AttemptStatus, int]
    bytes_sent: int
    bytes_saved: int

    def of(self, *statuses: AttemptStatus) -> int:
        """How many devices have one of these."""
        return sum(self.devices[status] for status in statuses)

    @property
    def offered(self) -> int:
        """Devices that were ever offered it."""
        return sum(self.devices.values())


def add(connection: Connection, rollout_id: int) -> None:
    """Begins to count a new rollout."""
    connection.execute(insert(attempt_counts).values(rollout_id=rollout_id))


def get(connection: Connection, rollout_id: int) -> AttemptCounts:
    """The counts as they are kept."""
    row = connection.execute(select(attempt_counts).where(attempt_counts.c.rollout_id == rollout_id)).one()._mapping
    devices = {status: row[status.value] for status in AttemptStatus}
    return AttemptCounts(devices, row["bytes_sent"], row["bytes_saved"])


def offered(connection: Connection, rollout_id: int, before: AttemptStatus | None) -> None:
    """Counts a new attempt, which takes the place of its device's latest one, if there was any."""
    _change(connection, rollout_id, before, AttemptStatus.OFFERED)


def moved(connection: Connection, attempt: Attempt, status: AttemptStatus) -> int:
    """Counts a move of an attempt; returns how many bytes it has received by it."""
    received = attempt.patch_size if status in _WHOLE else attempt.received
    if attempt.rollout_id is not None:
        (sent, saved), (sent_before, saved_before) = (
            _fetched(attempt, status, received),
            _fetched(attempt, attempt.status, attempt.received),
        )
        before, after = (attempt.status, status) if attempt.is_latest else (None, None)
        _change(connection, attempt.rollout_id, before, after, sent - sent_before, saved - saved_before)
    return received


def trouble(connection: Connection, rollout_id: int, kind: OutcomeKind, reason: int) -> None:
    """Counts an outcome that was no success."""
    key = {"rollout_id": rollout_id, "kind": kind, "reason": reason}
    add_up(connection, trouble_counts, key, {"outcomes": 1})


def reasons(connection: Connection, rollout_id: int) -> list[tuple[OutcomeKind, int, int]]:
    """(kind, reason, count) of outcomes that were no success, most frequent first."""
    table = trouble_counts.c
    rows = connection.execute(
        select(table.kind, table.reason, table.outcomes)
        .where(table.rollout_id == rollout_id)
        .order_by(table.outcomes.desc(), table.kind, table.reason)
        .limit(REASONS_MAX)
    )
    return [(kind, reason, number) for kind, reason, number in rows]


def recount(connection: Connection, rollout_id: int) -> AttemptCounts:
    """The counts made anew from the attempts; equal to those kept, or a bug."""
    devices = dict.fromkeys(AttemptStatus, 0)
    sent = saved = 0
    column = attempts.c
    is_patched = and_(column.received >= column.patch_size, column.is_full.is_(False), column.full_size > 0)
    query = select(
        column.status,
        column.is_latest,
        func.count(),
        func.sum(case((column.full_size > 0, column.received), else_=0)),
        func.sum(case((is_patched, column.full_size - column.patch_size), else_=0)),
    ).where(column.rollout_id == rollout_id)
    for status, is_latest, count, received, less in connection.execute(query.group_by(column.status, column.is_latest)):
        devices[status] += count if is_latest else 0
        sent += 0 if status in _LOADING else received
        saved += 0 if status in _LOADING else less
    return AttemptCounts(devices, sent, saved)


def recount_reasons(connection: Connection, rollout_id: int) -> list[tuple[OutcomeKind, int, int]]:
    """What `reasons` tells, made anew from the outcomes."""
    count = func.count()
    rows = connection.execute(
        select(outcomes.c.kind, outcomes.c.reason, count)
        .where(outcomes.c.rollout_id == rollout_id, outcomes.c.kind != OutcomeKind.CONFIRMED)
        .group_by(outcomes.c.kind, outcomes.c.reason)
        .order_by(count.desc(), outcomes.c.kind, outcomes.c.reason)
        .limit(REASONS_MAX)
    )
    return [(kind, reason, number) for kind, reason, number in rows]


def _fetched(attempt: Attempt, status: AttemptStatus, received: int) -> tuple[int, int]:
    """Bytes sent and saved by an attempt that is at this status."""
    if status in _LOADING or attempt.full_size == 0:
        return 0, 0
    is_saved = received >= attempt.patch_size and not attempt.is_full
    return received, attempt.full_size - attempt.patch_size if is_saved else 0


def _change(
    connection: Connection,
    rollout_id: int,
    before: AttemptStatus | None,
    after: AttemptStatus | None,
    sent: int = 0,
    saved: int = 0,
) -> None:
    changes = Counter({"bytes_sent": sent, "bytes_saved": saved})
    changes.update([] if after is None else [after.value])
    changes.subtract([] if before is None else [before.value])
    values = {name: attempt_counts.c[name] + number for name, number in changes.items() if number}
    if values:
        connection.execute(update(attempt_counts).where(attempt_counts.c.rollout_id == rollout_id).values(values))
