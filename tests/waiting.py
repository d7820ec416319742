# SPDX-License-Identifier: Apache-2.0
"""Waits for what another process does and tells nobody of."""

from __future__ import annotations

import time
from collections.abc import Callable


def wait_until(condition: Callable[[], bool], bound_s: float = 120.0) -> None:
    """Returns as soon as it is so; the bound is for a machine on which it will never be."""
    deadline = time.monotonic() + bound_s
    while not condition():
        assert time.monotonic() < deadline, f"not so within {bound_s} s"
        time.sleep(0.02)  # the other process has no signal for it, and asking without a pause takes its processor
