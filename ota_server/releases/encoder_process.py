# SPDX-License-Identifier: Apache-2.0
"""The process that makes patches: jobs come in at standard input, and go out at standard output, in this order.

Each job has a child of its own, so that limits and measured memory are that job's alone.
"""

from __future__ import annotations

import os
import resource
import sys
import time
from typing import BinaryIO, NoReturn

from muster import delta
from muster.errors import MusterError
from muster.status import OtaStatus
from ota_server.releases.encoder import JOB, RESULT, Came


def main() -> None:
    """Works until standard input ends."""
    jobs, results = sys.stdin.buffer, sys.stdout.buffer
    while head := jobs.read(JOB.size):
        base_len, target_len, time_max_s, memory_max = JOB.unpack(head)
        base, target = jobs.read(base_len), jobs.read(target_len)
        reader, writer = os.pipe()
        child = os.fork()
        if not child:
            os.close(reader)
            with open(writer, "wb") as file:
                _work(base, target, time_max_s, memory_max, file)
        os.close(writer)
        with open(reader, "rb") as file:
            result = file.read()
        _, status = os.waitpid(child, 0)
        if status:
            why = f"making the patch took more than {time_max_s} s or {memory_max} bytes of memory".encode()
            result = RESULT.pack(Came.DIED, 0, 0, len(why)) + why
        try:
            results.write(result)
            results.flush()
        except BrokenPipeError:
            # Whoever asked was killed. What is left unsaid is not said at the exit either.
            os._exit(0)


def _work(base: bytes, target: bytes, time_max_s: int, memory_max: int, result: BinaryIO) -> NoReturn:
    """Makes one patch and ends this process; 1 when it could not."""
    resource.setrlimit(resource.RLIMIT_CPU, (time_max_s, time_max_s))
    resource.setrlimit(resource.RLIMIT_AS, (memory_max, memory_max))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    began = time.monotonic()
    status = 1
    try:
        came, content = make(base, target)
        duration_ms = int((time.monotonic() - began) * 1000)
        memory_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        result.write(RESULT.pack(came, duration_ms, memory_kib, len(content)) + content)
        result.flush()
        status = 0
    except MemoryError:
        pass
    finally:
        os._exit(status)


def make(base: bytes, target: bytes) -> tuple[Came, bytes]:
    """The patch, or why there is none. Raises MemoryError."""
    try:
        raw = (delta.encode(base, target) if base else delta.encode_full(target)).raw
        is_good = delta.apply(base, raw) == target
    except MusterError as error:
        if error.status is OtaStatus.ERR_BUFFER:
            raise MemoryError from error  # what the coder says when it gets none
        return Came.REFUSED, str(error).encode()
    return (Came.MADE, raw) if is_good else (Came.REFUSED, b"the patch does not decode to its target")


if __name__ == "__main__":
    main()
