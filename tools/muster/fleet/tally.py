# SPDX-License-Identifier: Apache-2.0
"""Counts what a load generator did, and how long it took."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field

from muster.inspection import JsonValue

_STEPS = 20
"""Parts of a doubling: a percentile is right within 3.5 %."""


@dataclass(slots=True)
class Latencies:
    """A histogram whose steps grow with the time: small, whatever the number of requests."""

    _counts: Counter[int] = field(default_factory=Counter)

    def add(self, seconds: float) -> None:
        self._counts[int(_STEPS * math.log2(max(seconds, 1e-6)))] += 1

    def percentile_s(self, share: float) -> float | None:
        """What so large a share of the requests did not exceed; None without any."""
        left = share * self._counts.total()
        for step, count in sorted(self._counts.items()):
            left -= count
            if left <= 0:
                return float(2 ** ((step + 1) / _STEPS))
        return None


@dataclass(slots=True)
class Tally:
    """What happened.

    Attributes:
        check_ins, openings: that were answered.
        refused: answered with another status than 200, by status.
        lost: not answered.
        patch_bytes: of the patches that were offered; `fetched_bytes`: of those that were fetched.
        confirmed, reverted: ends of updates, as devices will tell them.
    """

    check_ins: int = 0
    openings: int = 0
    refused: Counter[int] = field(default_factory=Counter)
    lost: int = 0
    offers: int = 0
    patch_bytes: int = 0
    fetched_bytes: int = 0
    confirmed: int = 0
    reverted: int = 0
    crashes: int = 0
    check_in_times: Latencies = field(default_factory=Latencies)
    opening_times: Latencies = field(default_factory=Latencies)

    def to_json(self, seconds: float) -> dict[str, JsonValue]:
        """The facts after so many seconds."""
        return {
            "seconds": round(seconds),
            "check_ins": self.check_ins,
            "check_ins_per_s": round(self.check_ins / max(seconds, 1e-9)),
            "openings": self.openings,
            "refused": {str(status): count for status, count in sorted(self.refused.items())},
            "lost": self.lost,
            "offers": self.offers,
            "patch_bytes": self.patch_bytes,
            "fetched_bytes": self.fetched_bytes,
            "confirmed": self.confirmed,
            "reverted": self.reverted,
            "crashes": self.crashes,
            "check_in_ms": _percentiles(self.check_in_times),
            "opening_ms": _percentiles(self.opening_times),
        }


def _percentiles(times: Latencies) -> dict[str, JsonValue]:
    found = {f"p{round(100 * share)}": times.percentile_s(share) for share in (0.5, 0.99)}
    return {name: None if value is None else round(1000 * value) for name, value in found.items()}
