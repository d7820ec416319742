# SPDX-License-Identifier: Apache-2.0
"""What a rollout must come to, said as simply as possible: outcomes one after the other, and what people ask for."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ota_server.rollouts.models import Outcome, OutcomeKind


@dataclass(frozen=True, slots=True)
class GateModel:
    """`gates`: (confirmed boots needed, failures allowed) of each stage."""

    gates: tuple[tuple[int, int], ...]
    status: str = "running"
    stage: int = 0
    confirmed: int = 0
    failures: int = 0
    forgiven: int = 0

    def heard(self, outcome: Outcome) -> GateModel:
        counted = replace(
            self,
            confirmed=self.confirmed + (outcome.kind is OutcomeKind.CONFIRMED),
            failures=self.failures + outcome.is_failure,
        )
        return counted.judged()

    def asked(self, action: str) -> GateModel:
        """What a release manager asks for; what is not allowed changes nothing."""
        match action, self.status:
            case "pause", "running":
                return replace(self, status="paused")
            case "resume", "paused":
                return replace(self, status="running", forgiven=self.failures).judged()
            case _:
                return self

    def judged(self) -> GateModel:
        needed, allowed = self.gates[self.stage]
        if self.status != "running":
            return self
        if self.failures - self.forgiven > allowed:
            return replace(self, status="paused")
        if self.confirmed < needed:
            return self
        if self.stage == len(self.gates) - 1:
            return replace(self, status="completed")
        return replace(self, stage=self.stage + 1, forgiven=self.failures).judged()
