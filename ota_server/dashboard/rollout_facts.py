# SPDX-License-Identifier: Apache-2.0
"""What the pages show of a rollout: plain facts for the templates."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection

from ota_server.rollouts import counts, forecast
from ota_server.rollouts import service as rollouts_service
from ota_server.rollouts import store as rollouts
from ota_server.rollouts.forecast import Forecast
from ota_server.rollouts.models import OPEN, OutcomeKind, Rollout, RolloutStatus, Stage
from ota_server.rollouts.outcomes import reason_text
from ota_server.rollouts.progress import progress

BAR_WIDTH = 1000

_BAR = (
    ("confirmed", "confirmed"),
    ("trial", "on trial"),
    ("downloading", "downloading"),
    ("offered", "offered"),
    ("retrying", "trying again"),
    ("waiting", "waiting"),
    ("failed", "failed"),
    ("reverted", "reverted"),
    ("not_seen", "not seen"),
)


@dataclass(frozen=True, slots=True)
class Segment:
    """A part of the truth bar: `start` and `width` of 1,000."""

    state: str
    words: str
    count: int
    start: float
    width: float


@dataclass(frozen=True, slots=True)
class RolloutFacts:
    """A rollout with its bar, its gate in words and what went wrong."""

    rollout: Rollout
    stages: list[Stage]
    gate: str
    can_approve: bool
    segments: list[Segment]
    devices: int
    already: int
    scanned_ms: int | None
    bytes_sent: int
    bytes_saved: int
    forecast: Forecast | None
    reasons: list[tuple[OutcomeKind, str, int]]
    troubles: list[tuple[str, OutcomeKind, str]]

    @property
    def can_pause(self) -> bool:
        return self.rollout.status is RolloutStatus.RUNNING

    @property
    def can_resume(self) -> bool:
        return self.rollout.status is RolloutStatus.PAUSED

    @property
    def can_start(self) -> bool:
        return self.rollout.status is RolloutStatus.DRAFT

    @property
    def can_cancel(self) -> bool:
        return self.rollout.status is RolloutStatus.SCHEDULED


def rollout_facts(connection: Connection, rollout: Rollout, now_ms: int) -> RolloutFacts:
    """Reads a rollout."""
    found = progress(connection, rollout)
    numbers = {state: int(getattr(found, state)) for state, _ in _BAR}
    total = sum(numbers.values())
    segments = []
    start = 0.0
    for state, words in _BAR:
        width = BAR_WIDTH * numbers[state] / total if total else 0.0
        segments.append(Segment(state, words, numbers[state], round(start, 1), round(width, 1)))
        start += width
    judgement = None
    if rollout.status is RolloutStatus.RUNNING:
        judgement = rollouts_service.current_judgement(connection, rollout, now_ms)
    return RolloutFacts(
        rollout=rollout,
        stages=rollouts.stages_of(connection, rollout.id),
        gate=rollout.reason if judgement is None else judgement.reason,
        can_approve=judgement is not None and judgement.awaits_approval,
        segments=segments,
        devices=total,
        already=found.already,
        scanned_ms=found.scanned_ms,
        bytes_sent=found.bytes_sent,
        bytes_saved=found.bytes_saved,
        forecast=forecast.latest(connection, rollout) if rollout.status in OPEN else None,
        reasons=[(kind, reason_text(reason), count) for kind, reason, count in counts.reasons(connection, rollout.id)],
        troubles=[
            (device_id, kind, reason_text(reason))
            for device_id, kind, reason in rollouts.troubled_devices(connection, rollout.id)
        ],
    )
