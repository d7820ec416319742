# SPDX-License-Identifier: Apache-2.0
"""When a stage ends and when a rollout pauses: a pure function."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

from ota_server.rollouts.models import Rollout, Stage


class Verdict(Enum):
    WAIT = auto()
    ADVANCE = auto()
    COMPLETE = auto()
    PAUSE = auto()


@dataclass(frozen=True, slots=True)
class Judgement:
    """A verdict and why, in a sentence with its numbers."""

    verdict: Verdict
    reason: str


def judge(rollout: Rollout, stage: Stage, is_last: bool) -> Judgement:
    """Compares a rollout's counters with the gate of its stage. Too many failures win over enough confirmed boots."""
    failures = rollout.failures - stage.failures_forgiven
    if failures > stage.max_failures:
        return Judgement(
            Verdict.PAUSE,
            f"Paused in stage {stage.position + 1}: {failures} of {rollout.offered} devices failed "
            f"({rollout.reverted} reverted, {rollout.failed} failed in all; limit {stage.max_failures}).",
        )
    if rollout.confirmed >= stage.min_confirmed:
        numbers = f"{rollout.confirmed} confirmed of {stage.min_confirmed} needed, {failures} failures"
        if is_last:
            return Judgement(Verdict.COMPLETE, f"Completed: {numbers}.")
        return Judgement(Verdict.ADVANCE, f"Stage {stage.position + 1} ended: {numbers}.")
    return Judgement(
        Verdict.WAIT,
        f"Stage {stage.position + 1}: goes on at {stage.min_confirmed} confirmed, {rollout.confirmed} now; "
        f"pauses above {stage.max_failures} failures, {failures} now.",
    )
