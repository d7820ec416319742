# SPDX-License-Identifier: Apache-2.0
"""Spreads the times at which devices come, so that no second has more than a server can take."""

from __future__ import annotations

import threading

SPAN_S = 3600
"""How far ahead it looks: devices back off to an hour by themselves."""


class Calendar:
    """How many devices are to come in each of the next seconds, as far as this process has told them.

    A device gets the second that it would come in, or the first one after it that has room. So a fleet that comes at
    once, after an outage, comes spread from then on; and one for which the server is too small comes less often.
    Used by any thread. Kept in memory: after a start devices come as they were told before.

    Args:
        per_s: most in one second.
    """

    def __init__(self, per_s: int) -> None:
        self._per_s = per_s
        self._lock = threading.Lock()
        self._now_s = 0
        self._counts: dict[int, int] = {}
        self._next: dict[int, int] = {}
        """For seconds without room: a later one that may have some."""
        self.delayed = 0
        """How many devices were told to come later than they would have."""

    def place(self, now_s: int, wait_s: int) -> int:
        """Books a second for a device that would wait `wait_s`; returns how long it shall wait."""
        if wait_s >= SPAN_S:
            return wait_s
        with self._lock:
            self._forget(now_s)
            last = now_s + SPAN_S
            second = min(self._with_room(now_s + wait_s), last)
            count = self._counts.get(second, 0) + 1
            self._counts[second] = count
            if count >= self._per_s:
                self._next[second] = second + 1
            waits = second - now_s
            self.delayed += waits > wait_s
            return waits

    def _with_room(self, second: int) -> int:
        """The first second from this one on that has room."""
        passed = []
        while second in self._next:
            passed.append(second)
            second = self._next[second]
        # Who comes after finds it in one step.
        for one in passed:
            self._next[one] = second
        return second

    def _forget(self, now_s: int) -> None:
        """Drops seconds that are over; all of them when the clock was set."""
        if now_s == self._now_s:
            return
        if not 0 <= now_s - self._now_s <= SPAN_S:
            self._counts.clear()
            self._next.clear()
        for second in range(self._now_s, now_s if self._counts else self._now_s):
            self._counts.pop(second, None)
            self._next.pop(second, None)
        self._now_s = now_s
