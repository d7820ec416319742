# SPDX-License-Identifier: Apache-2.0
"""Time as a port."""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """Tells the time."""

    def now_ms(self) -> int:
        """Unix time in milliseconds."""


class SystemClock:
    """This computer's clock."""

    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000
