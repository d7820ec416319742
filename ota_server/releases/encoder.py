# SPDX-License-Identifier: Apache-2.0
"""Makes patches in a process of its own, with limits: whatever two images do to the coder, the server goes on."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import struct
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from enum import IntEnum
from typing import Protocol

from muster.errors import MusterError

TIME_MAX_S = 120
"""Of one patch; two images of 384 KiB take less than a second."""
MEMORY_MAX = 512 * 1024 * 1024
"""Address space of the coder's process; it needs a tenth of it."""
JOB = struct.Struct("<IIII")
"""To the process: bytes of the base and of the target, limits of time (s) and memory. Both images follow."""
RESULT = struct.Struct("<BIII")
"""From it: `Came`, milliseconds, KiB, bytes that follow: the patch, or why there is none."""


class Came(IntEnum):
    """What came of a job."""

    MADE = 0
    REFUSED = 1
    """The images cannot be coded, or the patch does not decode to its target."""
    DIED = 2
    """A limit was met."""


@dataclass(frozen=True, slots=True)
class MadePatch:
    """A patch that decodes to its target. `duration_ms`, `memory_bytes`: what making and decoding it took at most."""

    raw: bytes
    duration_ms: int
    memory_bytes: int


class PatchNotMade(MusterError):
    """There is no patch between two images, and trying again makes none."""


class EncoderStopped(MusterError):
    """The process that makes patches was ended, or took too long: trying again may help."""


class Encoder(Protocol):
    """Makes patches."""

    def make(self, base: bytes, target: bytes) -> MadePatch:
        """The patch from `base` (empty: none) to `target`. Raises PatchNotMade, EncoderStopped."""

    def close(self) -> None:
        """Ends what is under way."""


class ProcessEncoder:
    """Asks a process that makes one patch at a time (`encoder_process`); it is started when it is first needed.

    Args:
        time_max_s, memory_max: limits of one patch.
    """

    def __init__(self, time_max_s: int = TIME_MAX_S, memory_max: int = MEMORY_MAX) -> None:
        self._limits = (time_max_s, memory_max)
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None

    def make(self, base: bytes, target: bytes) -> MadePatch:
        with self._lock:
            process = self._process or self._start()
            assert process.stdin is not None
            assert process.stdout is not None
            try:
                process.stdin.write(JOB.pack(len(base), len(target), *self._limits) + base + target)
                process.stdin.flush()
                deadline = time.monotonic() + 2 * self._limits[0]
                head = _read(process.stdout.fileno(), RESULT.size, deadline)
                came, duration_ms, memory_kib, size = RESULT.unpack(head)
                content = _read(process.stdout.fileno(), size, deadline)
            except OSError as error:
                self._stop()
                raise EncoderStopped("the process that makes patches was ended, or took too long") from error
        if came != Came.MADE:
            raise PatchNotMade(content.decode(errors="replace"))
        return MadePatch(content, duration_ms, memory_kib * 1024)

    def close(self) -> None:
        with self._lock:
            self._stop()

    def _start(self) -> subprocess.Popen[bytes]:
        # In a session of its own: Ctrl-C is for the server, which ends this process.
        self._process = subprocess.Popen(
            [sys.executable, "-m", "ota_server.releases.encoder_process"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        return self._process

    def _stop(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        # Together with what it has begun. Nobody else waits for it, so that its number is still its own.
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        for pipe in (process.stdin, process.stdout):
            with contextlib.suppress(OSError):
                assert pipe is not None
                pipe.close()


def _read(handle: int, size: int, deadline: float) -> bytes:
    """Raises OSError at the end of the stream, and when it takes longer than until the deadline."""
    parts: list[bytes] = []
    while size:
        ready, _, _ = select.select([handle], [], [], max(deadline - time.monotonic(), 0))
        part = os.read(handle, min(size, 1 << 16)) if ready else b""
        if not part:
            raise TimeoutError
        parts.append(part)
        size -= len(part)
    return b"".join(parts)
