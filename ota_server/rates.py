# SPDX-License-Identifier: Apache-2.0
"""How often somebody may do something. Kept in memory: a restart forgets."""

from __future__ import annotations

import threading

from ota_server.errors import TooMany

KEYS_MAX = 10_000


class Rate:
    """At most so many times for each key in a span of time.

    Args:
        most: how many times.
        window_s: the span.
        message: what to say beyond it.
    """

    def __init__(self, most: int, window_s: int, message: str) -> None:
        self._most = most
        self._window_s = window_s
        self._message = message
        self._lock = threading.Lock()
        self._times: dict[str, list[int]] = {}

    def check(self, key: str, now_ms: int) -> None:
        """Raises TooMany when the key has been counted often enough."""
        with self._lock:
            if len(self._recent(key, now_ms)) >= self._most:
                raise TooMany(self._message, self._window_s)

    def count(self, key: str, now_ms: int) -> None:
        with self._lock:
            recent = self._recent(key, now_ms)
            # The key that was counted longest ago goes first, and is forgotten first.
            self._times.pop(key, None)
            if len(self._times) >= KEYS_MAX:
                del self._times[next(iter(self._times))]
            self._times[key] = [*recent, now_ms][-self._most :]

    def take(self, key: str, now_ms: int) -> None:
        """Counts one more. Raises TooMany when there have been enough."""
        self.check(key, now_ms)
        self.count(key, now_ms)

    def _recent(self, key: str, now_ms: int) -> list[int]:
        # Times to come were counted by a clock that was wrong.
        return [at for at in self._times.get(key, []) if now_ms - 1000 * self._window_s < at <= now_ms]
