# SPDX-License-Identifier: Apache-2.0
"""Counts check-ins and bytes in memory: a request writes nothing for it, and a kill loses a minute's counts at most."""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Counts:
    """Check-ins by product, bytes by the digest of what was served, devices heard by product, version and week."""

    check_ins: Counter[int] = field(default_factory=Counter)
    served: Counter[bytes] = field(default_factory=Counter)
    heard: Counter[tuple[int, int, int]] = field(default_factory=Counter)


class Meter:
    """Used by any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts = Counts()

    def check_in(self, product_id: int, heard: tuple[int, int] | None = None) -> None:
        """`heard`: the version that the device was heard running for the first time in a week, and that week."""
        with self._lock:
            self._counts.check_ins[product_id] += 1
            if heard is not None:
                self._counts.heard[product_id, *heard] += 1

    def served(self, digest: bytes, size: int) -> None:
        with self._lock:
            self._counts.served[digest] += size

    def take(self) -> Counts:
        """What was counted since the last call."""
        with self._lock:
            counts, self._counts = self._counts, Counts()
        return counts

    def give_back(self, counts: Counts) -> None:
        """For what could not be written."""
        with self._lock:
            self._counts.check_ins.update(counts.check_ins)
            self._counts.served.update(counts.served)
            self._counts.heard.update(counts.heard)
