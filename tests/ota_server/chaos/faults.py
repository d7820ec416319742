# SPDX-License-Identifier: Apache-2.0
"""What a process's writes come to: counted, and failing or deadly from a chosen one on (`faults.c`)."""

from __future__ import annotations

import mmap
import struct
import subprocess
from enum import IntEnum
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

_SOURCE = Path(__file__).with_name("faults.c")
_FORM = struct.Struct("<QQQq")
_kept: list[TemporaryDirectory[str]] = []


class Fault(IntEnum):
    """As in `enum fault`."""

    NONE = 0
    FULL = 1
    KILL = 2
    GROWTH = 3


@cache
def library() -> Path:
    """Builds the library, once in a test run."""
    folder = TemporaryDirectory(prefix="muster-faults-")
    _kept.append(folder)
    made = Path(folder.name) / "faults.so"
    command = ["cc", "-shared", "-fPIC", "-O2", "-Wall", "-Wextra", "-Werror", "-o", str(made), str(_SOURCE), "-ldl"]
    subprocess.run(command, check=True)
    Path(folder.name).chmod(0o755)
    return made


class Faults:
    """The faults of all processes that were started with `environment`.

    Args:
        path: a file to be made, which the processes share with this object.
        watched: the folder in which steps count.
    """

    def __init__(self, path: Path, watched: Path) -> None:
        path.write_bytes(bytes(_FORM.size))
        path.chmod(0o666)
        with path.open("r+b") as file:
            self._shared = mmap.mmap(file.fileno(), _FORM.size)
        self._ahead_s = 0
        self.environment = {
            "LD_PRELOAD": str(library()),
            "MUSTER_FAULTS": str(path),
            "MUSTER_FAULTS_FOLDER": f"{watched}/",
        }

    @property
    def steps(self) -> int:
        """So far."""
        return int.from_bytes(self._shared[0:8], "little")

    @property
    def is_armed(self) -> bool:
        return any(self._shared[16:24])

    def arm(self, fault: Fault, after: int) -> None:
        """The step that follows so many others from now on is the first with the fault."""
        self._shared[16:24] = bytes(8)
        self._shared[8:16] = (self.steps + after + 1).to_bytes(8, "little")
        self._shared[16:24] = int(fault).to_bytes(8, "little")

    def pass_time(self, seconds: int) -> None:
        """Lets the clock jump ahead."""
        self._ahead_s += seconds
        self._shared[24:32] = self._ahead_s.to_bytes(8, "little", signed=True)

    def disarm(self) -> None:
        """All is well again."""
        self._shared[16:24] = bytes(8)
