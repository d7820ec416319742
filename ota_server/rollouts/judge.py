# SPDX-License-Identifier: Apache-2.0
"""When a stage ends and when a rollout pauses: a pure function of counters, gate and time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import Enum, auto

from ota_server.rollouts.baseline import Baseline
from ota_server.rollouts.gate import percent
from ota_server.rollouts.models import Rollout, Stage
from ota_server.rollouts.sequential import ALPHA, ENOUGH, evidence, needed_failures, upper_bound
from ota_server.times import rfc3339


class Verdict(Enum):
    WAIT = auto()
    ADVANCE = auto()
    COMPLETE = auto()
    PAUSE = auto()


@dataclass(frozen=True, slots=True)
class Distance:
    """How far one part of a gate is from acting.

    Attributes:
        name: what is counted.
        count: how many there are.
        limit: where the gate acts: for `confirmed` and `approvals` at this number, for all else above it.
        of: devices among which these are counted, when the limit follows from a rate.
        rate: that rate.
        evidence: that it is exceeded (`sequential`); above the limit it is enough.
        before: of which version and from how many of its devices the rate follows, in words.
    """

    name: str
    count: int
    limit: int
    of: int | None = None
    rate: float | None = None
    evidence: float | None = None
    before: str = ""


@dataclass(frozen=True, slots=True)
class Judgement:
    """A verdict, why (in a sentence with its numbers), and how far each part of the gate is.

    `awaits_approval`: nothing else is missing.
    """

    verdict: Verdict
    reason: str
    distances: tuple[Distance, ...]
    awaits_approval: bool = False


def judge(
    rollout: Rollout,
    stage: Stage,
    is_last: bool,
    now_ms: int,
    approvals: int = 0,
    before: Baseline | None = None,
) -> Judgement:
    """Compares a rollout's counters with the gate of its stage. Too many failures win over all that is reached.

    The stage has been through `with_reached`; `approvals`: how many people have approved it; `before`: the version
    that its devices ran before.
    """
    gate, number = stage.gate, stage.position + 1
    confirmed = Distance("confirmed", rollout.confirmed, gate.min_confirmed)
    limits = (*_limits(rollout, stage), *_limits_before(rollout, stage, before))
    distances = (confirmed, *limits)
    if gate.approval is not None:
        distances += (Distance("approvals", approvals, gate.approval.people),)
    for limit in limits:
        if limit.count > limit.limit:
            why = f"Paused in stage {number}: {_too_many(rollout, limit)}."
            return Judgement(Verdict.PAUSE, why, distances)
    watched = "; ".join(["", *(_watched(limit) for limit in limits)])
    if stage.reached_ms is None:
        needed = f"goes on at {gate.min_confirmed} confirmed, {rollout.confirmed} now"
        return Judgement(Verdict.WAIT, f"Stage {number}: {needed}{watched}.", distances)
    soaked_ms = stage.reached_ms + gate.soak_s * 1000
    if now_ms < soaked_ms:
        needed = f"has its {gate.min_confirmed} confirmed boots and soaks until {rfc3339(soaked_ms)}"
        return Judgement(Verdict.WAIT, f"Stage {number}: {needed}{watched}.", distances)
    if gate.approval is not None and approvals < gate.approval.people:
        needed = f"has its {gate.min_confirmed} confirmed boots and waits for approval by {gate.approval.in_words()}"
        why = f"Stage {number}: {needed}, {approvals} so far{watched}."
        return Judgement(Verdict.WAIT, why, distances, awaits_approval=True)
    failures = rollout.failures - stage.failures_forgiven
    numbers = f"{rollout.confirmed} confirmed of {gate.min_confirmed} needed, {failures} failures"
    if is_last:
        return Judgement(Verdict.COMPLETE, f"Completed: {numbers}.", distances)
    return Judgement(Verdict.ADVANCE, f"Stage {number} ended: {numbers}.", distances)


def _limits(rollout: Rollout, stage: Stage) -> Iterator[Distance]:
    gate, forgiven = stage.gate, rollout.forgiven
    if gate.max_failures is not None:
        yield Distance("failures", rollout.failures - stage.failures_forgiven, gate.max_failures)
    rates = (
        ("failure_rate", gate.max_failure_rate, rollout.failures, forgiven.failures),
        ("revert_rate", gate.max_revert_rate, rollout.reverted, forgiven.reverted),
        ("crash_rate", gate.max_crash_rate, rollout.crashed, forgiven.crashed),
    )
    for name, rate, count, before in rates:
        if rate is not None:
            yield _tested(name, count - before, rollout.offered - before, rate)


def _limits_before(rollout: Rollout, stage: Stage, before: Baseline | None) -> Iterator[Distance]:
    """A rate with nothing to compare it with has no limit."""
    if before is None or not stage.gate.worse_than_before:
        return
    forgiven = rollout.forgiven
    rates = (
        ("failure_rate", rollout.failures, forgiven.failures, before.failures, before.offered),
        ("revert_rate", rollout.reverted, forgiven.reverted, before.reverted, before.offered),
        ("crash_rate", rollout.crashed_early, forgiven.crashed_early, before.crashed, before.heard),
    )
    for name, count, seen, count_before, devices_before in rates:
        if devices_before:
            words = f"{count_before} of {devices_before} with version {before.version}"
            rate = upper_bound(count_before, devices_before, ALPHA / 2)
            yield _tested(name, count - seen, rollout.offered - seen, rate, words)


def _tested(name: str, count: int, devices: int, rate: float, before: str = "") -> Distance:
    """Devices whose failure was forgiven are neither among the failures nor among the devices any more."""
    enough = 2 * ENOUGH if before else ENOUGH
    needed = needed_failures(devices, rate, enough)
    return Distance(name, count, needed - 1, devices, rate, evidence(count, devices, rate), before)


_VERBS = {"failures": "failed", "failure_rate": "failed", "revert_rate": "reverted", "crash_rate": "crashed"}


def _too_many(rollout: Rollout, limit: Distance) -> str:
    verb = _VERBS[limit.name]
    if limit.rate is None:
        kinds = f"{rollout.reverted} reverted, {rollout.failed} failed in all; limit {limit.limit}"
        return f"{limit.count} of {rollout.offered} devices {verb} ({kinds})"
    return (
        f"{limit.count} of {limit.of} devices offered it {verb}, which is too many for {_against(limit)} "
        f"(from {limit.limit + 1} on)"
    )


def _watched(limit: Distance) -> str:
    verb = _VERBS[limit.name]
    if limit.rate is None:
        return f"pauses above {limit.limit} failures, {limit.count} now"
    return f"pauses when {limit.limit + 1} of {limit.of} devices {verb} ({_against(limit)}), {limit.count} now"


def _against(limit: Distance) -> str:
    assert limit.rate is not None
    return limit.before or f"a rate of {percent(limit.rate)}"


def with_reached(rollout: Rollout, stage: Stage, now_ms: int, steady_ms: int = 0) -> Stage:
    """The stage with the time at which it got the confirmed boots it needs; now, when the clock has leapt since.

    `steady_ms`: since when it has gone evenly.
    """
    if rollout.confirmed < stage.gate.min_confirmed:
        return stage
    if stage.reached_ms is not None and steady_ms <= stage.reached_ms <= now_ms:
        return stage
    return replace(stage, reached_ms=now_ms)
