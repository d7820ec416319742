# SPDX-License-Identifier: Apache-2.0
"""What the pages show of a rollout: plain facts for the templates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from ota_server.rollouts import counts, forecast
from ota_server.rollouts import service as rollouts_service
from ota_server.rollouts import store as rollouts
from ota_server.rollouts.course import MINUTE_MS, Point, course
from ota_server.rollouts.forecast import Forecast
from ota_server.rollouts.involved import STATES
from ota_server.rollouts.models import (
    OPEN,
    ROLLOUT_MOVES,
    OutcomeKind,
    Rollout,
    RolloutStatus,
    Stage,
)
from ota_server.rollouts.outcomes import reason_text
from ota_server.rollouts.progress import progress

BAR_WIDTH = 1000
FORECAST_POINTS = 40

_BAR = ("confirmed", "trial", "downloading", "offered", "retrying", "waiting", "failed", "reverted", "not_seen")
_BEGUN = (RolloutStatus.RUNNING, RolloutStatus.PAUSED)


@dataclass(frozen=True, slots=True)
class Segment:
    """A part of the truth bar: `start` and `width` of 1,000. `is_listed`: there is a list of its devices."""

    state: str
    count: int
    start: float
    width: float
    is_listed: bool


@dataclass(frozen=True, slots=True)
class RolloutFacts:
    """A rollout with its bar and its gate in words.

    Attributes:
        mark: where on the bar the gate lets the stage end, of 1,000; None: there is nothing to be reached.
        needed: confirmed boots there.
    """

    rollout: Rollout
    stages: list[Stage]
    gate: str
    can_approve: bool
    segments: list[Segment]
    mark: float | None
    needed: int
    devices: int
    already: int
    scanned_ms: int | None
    bytes_sent: int
    bytes_saved: int
    forecast: Forecast | None

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

    @property
    def can_abort(self) -> bool:
        return RolloutStatus.ABORTED in ROLLOUT_MOVES[self.rollout.status]

    @property
    def has_begun(self) -> bool:
        return self.rollout.started_ms is not None


@dataclass(frozen=True, slots=True)
class StageLine:
    """A stage, who approved it when, and its part of the forecast. `state`: done, current or to_come."""

    stage: Stage
    state: str
    approvals: Sequence[tuple[str, int]]
    devices: int | None
    ends_ms: tuple[int | None, int | None, int | None] | None


@dataclass(frozen=True, slots=True)
class Reason:
    """Why devices did not come to run it, and how often."""

    kind: OutcomeKind
    number: int
    why: str
    count: int


@dataclass(frozen=True, slots=True)
class RolloutPage:
    """All that one rollout's page shows besides `RolloutFacts`. `forecast`: (time, confirmed)."""

    lines: list[StageLine]
    points: list[Point]
    forecast: Sequence[tuple[int, int]]
    reasons: list[Reason]


def rollout_facts(connection: Connection, rollout: Rollout, now_ms: int) -> RolloutFacts:
    """Reads a rollout."""
    found = progress(connection, rollout)
    numbers = {state: int(getattr(found, state)) for state in _BAR}
    total = sum(numbers.values())
    segments = []
    start = 0.0
    for state, count in numbers.items():
        width = BAR_WIDTH * count / total if total else 0.0
        segments.append(Segment(state, count, round(start, 1), round(width, 1), state in STATES))
        start += width
    judgement = None
    if rollout.status is RolloutStatus.RUNNING:
        judgement = rollouts_service.current_judgement(connection, rollout, now_ms)
    stages = rollouts.stages_of(connection, rollout.id)
    needed = stages[rollout.stage].gate.min_confirmed
    return RolloutFacts(
        rollout=rollout,
        stages=stages,
        gate=rollout.reason if judgement is None else judgement.reason,
        can_approve=judgement is not None and judgement.awaits_approval,
        segments=segments,
        mark=round(BAR_WIDTH * min(needed / total, 1), 1) if total and rollout.status in _BEGUN else None,
        needed=needed,
        devices=total,
        already=found.already,
        scanned_ms=found.scanned_ms,
        bytes_sent=found.bytes_sent,
        bytes_saved=found.bytes_saved,
        forecast=forecast.latest(connection, rollout) if rollout.status in OPEN else None,
    )


def rollout_page(connection: Connection, facts: RolloutFacts, now_ms: int) -> RolloutPage:
    """Reads the rest of its page."""
    rollout = facts.rollout
    points = []
    if rollout.started_ms is not None:
        # To the end of the minute: what has not changed is not sent again to pages that are open.
        last_ms = rollout.ended_ms or (now_ms // MINUTE_MS + 1) * MINUTE_MS
        points = course(connection, rollout.id, rollout.started_ms, last_ms)
    approvals: dict[int, list[tuple[str, int]]] = {}
    for position, email, at_ms in rollouts.approvals_of(connection, rollout.id):
        approvals.setdefault(position, []).append((email, at_ms))
    reasons = counts.reasons(connection, rollout.id)
    return RolloutPage(
        lines=[_line(facts, stage, approvals.get(stage.position, [])) for stage in facts.stages],
        points=points,
        forecast=_some(facts.forecast.points) if facts.forecast is not None else [],
        reasons=[Reason(kind, number, reason_text(number), count) for kind, number, count in reasons],
    )


def _some(points: Sequence[tuple[int, int]]) -> Sequence[tuple[int, int]]:
    """Not more of them than a table should have; the last one among them."""
    return points[:: -max(1, -(-len(points) // FORECAST_POINTS))][::-1]


def _line(facts: RolloutFacts, stage: Stage, approvals: Sequence[tuple[str, int]]) -> StageLine:
    state = "done" if stage.ended_ms is not None else "to_come"
    if stage.position == facts.rollout.stage and facts.rollout.status in _BEGUN:
        state = "current"
    foreseen = None if facts.forecast is None else facts.forecast.stages[stage.position]
    ends_ms = None if foreseen is None or state == "done" else foreseen.ends_ms.values
    return StageLine(stage, state, approvals, None if foreseen is None else foreseen.devices, ends_ms)
