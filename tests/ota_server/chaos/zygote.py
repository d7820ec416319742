# SPDX-License-Identifier: Apache-2.0
"""A process that has imported everything and forks a `muster` process for each line it reads, one at a time.

To start Python for each of 200 kills would take most of the time. What is forked is as whole as a new process: it runs
the command's own entry point, with memory, files and threads of its own, and can be killed like any other.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import sys

from muster.cli.main import main
from ota_server import cli as _serve  # imported here, so that it need not be after each fork

PR_SET_PDEATHSIG = 1
PRELOADED = (_serve,)


def run(arguments: list[str], log: str) -> None:
    """Becomes the command, and never returns."""
    # Ends with the zygote, however that one ends.
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600), 2)
    sys.argv = ["muster", *arguments]
    main()


def listen() -> None:
    """Says `pid N` when a process has begun, and `ended N` with the status that it ended with (minus a signal)."""
    for line in sys.stdin:
        order = json.loads(line)
        pid = os.fork()
        if pid == 0:
            run(order["arguments"], order["log"])
        print(f"pid {pid}", flush=True)
        _, status = os.waitpid(pid, 0)
        print(f"ended {os.waitstatus_to_exitcode(status)}", flush=True)


if __name__ == "__main__":
    listen()
