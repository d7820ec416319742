# SPDX-License-Identifier: Apache-2.0
"""A process that has imported everything and forks `muster` processes.

To start Python for each of 200 kills would take most of the time. What is forked is as whole as a new process: it runs
the command's own entry point, with memory, files and threads of its own, and can be killed like any other.

Whoever connects to the zygote's socket has a child of it to themselves, which runs one process after another: it forks
one for each line it reads, and says `pid N` when that has begun, and `ended N` with the status that it ended with
(minus a signal). In between the process says there what it says on stdout.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import socket
import sys

from muster.cli.main import main
from ota_server import cli as _serve  # imported here, so that it need not be after each fork
from ota_server import work as _work

PR_SET_PDEATHSIG = 1
PRELOADED = (_serve, _work)


def end_with_parent() -> None:
    """However that one ends."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def run(arguments: list[str], log: str) -> None:
    """Becomes the command, and never returns."""
    end_with_parent()
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600), 2)
    sys.argv = ["muster", *arguments]
    main()


def listen() -> None:
    """Runs processes as stdin asks for them."""
    for line in sys.stdin:
        order = json.loads(line)
        pid = os.fork()
        if pid == 0:
            run(order["arguments"], order["log"])
        print(f"pid {pid}", flush=True)
        _, status = os.waitpid(pid, 0)
        print(f"ended {os.waitstatus_to_exitcode(status)}", flush=True)


def accept(path: str) -> None:
    """Listens on a new socket; a line on stdout says that it does."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()
        print("listening", flush=True)
        while True:
            connection, _ = listener.accept()
            if os.fork() == 0:
                end_with_parent()
                listener.close()
                for number in (0, 1):
                    os.dup2(connection.fileno(), number)
                connection.close()
                listen()
                os._exit(0)
            connection.close()


if __name__ == "__main__":
    accept(sys.argv[1])
