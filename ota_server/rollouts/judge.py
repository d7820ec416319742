# SPDX-License-Identifier: Apache-2.0
"""When a stage ends and when a rollout pauses: a pure function of counters, gate and time."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum, auto

from ota_server.rollouts.models import Rollout, Stage
from ota_server.times import rfc3339


class Verdict(Enum):
    WAIT = auto()
    ADVANCE = auto()
    COMPLETE = auto()
    PAUSE = auto()


@dataclass(frozen=True, slots=True)
class Measure:
    """How far one part of a gate is from acting.

    Attributes:
        name: what is counted.
        count: how many there are.
        limit: where the gate acts: for `confirmed` at this number, for all else above it.
    """

    name: str
    count: int
    limit: int


@dataclass(frozen=True, slots=True)
class Judgement:
    """A verdict, why (in a sentence with its numbers), and how far each part of the gate is."""

    verdict: Verdict
    reason: str
    measures: tuple[Measure, ...]


def judge(rollout: Rollout, stage: Stage, is_last: bool, now_ms: int) -> Judgement:
    """Compares a rollout's counters with the gate of its stage. Too many failures win over all that is reached.

    The stage has been through `with_reached`.
    """
    gate = stage.gate
    failures = rollout.failures - stage.failures_forgiven
    confirmed = Measure("confirmed", rollout.confirmed, gate.min_confirmed)
    failed = Measure("failures", failures, gate.max_failures)
    measures = (confirmed, failed)
    number = stage.position + 1
    if failed.count > failed.limit:
        why = (
            f"Paused in stage {number}: {failures} of {rollout.offered} devices failed "
            f"({rollout.reverted} reverted, {rollout.failed} failed in all; limit {gate.max_failures})."
        )
        return Judgement(Verdict.PAUSE, why, measures)
    limits = f"pauses above {gate.max_failures} failures, {failures} now"
    if stage.reached_ms is None:
        needed = f"goes on at {gate.min_confirmed} confirmed, {rollout.confirmed} now"
        return Judgement(Verdict.WAIT, f"Stage {number}: {needed}; {limits}.", measures)
    soaked_ms = stage.reached_ms + gate.soak_s * 1000
    if now_ms < soaked_ms:
        needed = f"has its {gate.min_confirmed} confirmed boots and soaks until {rfc3339(soaked_ms)}"
        return Judgement(Verdict.WAIT, f"Stage {number}: {needed}; {limits}.", measures)
    numbers = f"{rollout.confirmed} confirmed of {gate.min_confirmed} needed, {failures} failures"
    if is_last:
        return Judgement(Verdict.COMPLETE, f"Completed: {numbers}.", measures)
    return Judgement(Verdict.ADVANCE, f"Stage {number} ended: {numbers}.", measures)


def with_reached(rollout: Rollout, stage: Stage, now_ms: int) -> Stage:
    """The stage with the time at which it got the confirmed boots it needs; now, when the clock has gone back."""
    if rollout.confirmed < stage.gate.min_confirmed:
        return stage
    if stage.reached_ms is not None and stage.reached_ms <= now_ms:
        return stage
    return replace(stage, reached_ms=now_ms)
