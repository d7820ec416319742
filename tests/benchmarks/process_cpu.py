# SPDX-License-Identifier: Apache-2.0
"""CPU time of a process with its children (Linux)."""

from __future__ import annotations

import os
from pathlib import Path

_TICK_S = 1 / os.sysconf("SC_CLK_TCK")


def cpu_s(pid: int) -> float:
    """Seconds that a process and its children have computed, those that have ended included."""
    found = {int(path.name): _stat(path) for path in Path("/proc").iterdir() if path.name.isdigit()}
    family, grew = {pid}, True
    while grew:
        more = {one for one, stat in found.items() if stat is not None and int(stat[1]) in family} - family
        family |= more
        grew = bool(more)
    stats = [stat for one in family if (stat := found.get(one)) is not None]
    return sum(sum(int(ticks) for ticks in stat[11:15]) for stat in stats) * _TICK_S


def _stat(path: Path) -> list[str] | None:
    """Fields of /proc/PID/stat from the state on (proc(5)); None when it has ended meanwhile."""
    try:
        return (path / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
