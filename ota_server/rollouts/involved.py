# SPDX-License-Identifier: Apache-2.0
"""Which devices a rollout's numbers count: pages of them by their state, or by why they failed."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, and_, select

from ota_server.devices.models import devices
from ota_server.rollouts.models import IS_TROUBLE, AttemptStatus, OutcomeKind, attempts, outcomes

_AGAIN = (AttemptStatus.INTERRUPTED, AttemptStatus.NO_CONTACT, AttemptStatus.STOPPED)
_GAVE_UP = and_(outcomes.c.device_row == attempts.c.device_row, outcomes.c.attempt == attempts.c.number)

STATES: Mapping[str, Sequence[AttemptStatus]] = {
    "confirmed": (AttemptStatus.CONFIRMED,),
    "trial": (AttemptStatus.TRIAL,),
    "downloading": (AttemptStatus.DOWNLOADING, AttemptStatus.STAGED),
    "offered": (AttemptStatus.OFFERED,),
    "retrying": _AGAIN,
    "failed": (AttemptStatus.FAILED, *_AGAIN),
    "reverted": (AttemptStatus.REVERTED,),
}
"""Of `progress`, those that a device is in by its latest attempt."""


@dataclass(frozen=True, slots=True)
class Involved:
    """A device in a rollout.

    Attributes:
        place: where the page behind it begins.
        state: of its attempt, or what came of it.
        reason: of the boot log, or a negative `ota_status`; None: none was told.
        at_ms: when it was offered it, or when it told what came of it.
    """

    place: str
    device_id: str
    name: str
    state: str
    reason: int | None
    at_ms: int


def with_state(connection: Connection, rollout_id: int, state: str, place: str, limit: int) -> list[Involved]:
    """Devices in one of `STATES`, newest attempts first; `place`: empty for the first page."""
    statuses = STATES[state]
    first, below = _place(place, len(statuses))
    found: list[Involved] = []
    # One status after the other: each is one range of an index, however many devices there are.
    for position in range(first, len(statuses)):
        is_behind = attempts.c.id < below if position == first and below else attempts.c.id > 0
        rows = connection.execute(
            select(attempts.c.id, devices.c.device_id, devices.c.name, attempts.c.reason, attempts.c.offered_ms)
            .join(devices, devices.c.id == attempts.c.device_row)
            .where(
                attempts.c.rollout_id == rollout_id,
                attempts.c.is_latest.is_(True),
                attempts.c.status == statuses[position],
                is_behind,
                *_is_given_up(state, statuses[position]),
            )
            .order_by(attempts.c.id.desc())
            .limit(limit - len(found))
        )
        status = statuses[position].value
        found += [
            Involved(f"{position}.{number}", device_id, name, status, reason, offered_ms)
            for number, device_id, name, reason, offered_ms in rows
        ]
    return found


def with_reason(
    connection: Connection, rollout_id: int, kind: OutcomeKind, reason: int, place: str, limit: int
) -> list[Involved]:
    """Devices that told of this end, newest first; one that did so twice is there twice, as it is counted."""
    _, below = _place(place, 1)
    rows = connection.execute(
        select(outcomes.c.id, devices.c.device_id, devices.c.name, outcomes.c.at_ms)
        .join(devices, devices.c.id == outcomes.c.device_row)
        .where(
            outcomes.c.rollout_id == rollout_id,
            IS_TROUBLE,
            outcomes.c.kind == kind,
            outcomes.c.reason == reason,
            outcomes.c.id < below if below else outcomes.c.id > 0,
        )
        .order_by(outcomes.c.id.desc())
        .limit(limit)
    )
    return [
        Involved(f"0.{number}", device_id, name, kind.value, reason, at_ms) for number, device_id, name, at_ms in rows
    ]


def _is_given_up(state: str, status: AttemptStatus) -> Sequence[ColumnElement[bool]]:
    """The third end without contact is a failure; those before are tried again."""
    if status not in _AGAIN:
        return ()
    gave_up = select(outcomes.c.id).where(_GAVE_UP, outcomes.c.is_failure.is_(True)).exists()
    return (gave_up if state == "failed" else ~gave_up,)


def _place(text: str, statuses: int) -> tuple[int, int]:
    """Position of a status and id of a row; 0: from the first one on. Whatever is no place is the first."""
    position, _, number = text.partition(".")
    if not re.fullmatch(r"[0-9]+\.[0-9]+", text) or len(text) > 18 or int(position) >= statuses:
        return 0, 0
    return int(position), int(number)
