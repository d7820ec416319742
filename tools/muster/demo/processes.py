# SPDX-License-Identifier: Apache-2.0
"""Other `muster` commands as processes of this one."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from muster.errors import EnvironmentFault

_MUSTER = (sys.executable, "-c", "from muster.cli.main import main; main()")
_GUARDED = f"""
import os, signal, threading
def watch():
    os.read(0, 1)
    os.kill(os.getpid(), signal.{signal.SIGTERM.name})
threading.Thread(target=watch, daemon=True).start()
{_MUSTER[2]}
"""
"""The same, but it ends as soon as its standard input does: with whoever started it, however that one ends."""
_STOP_TIMEOUT_S = 10.0
_TAIL_LINES = 5


def run_muster(*arguments: str, stdin: str) -> dict[str, object]:
    """Runs a command that prints one JSON object.

    Raises:
        EnvironmentFault: it failed; with the end of what it said.
    """
    done = subprocess.run([*_MUSTER, *arguments], input=stdin, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise EnvironmentFault(f"muster {arguments[0]} failed: {_tail(done.stderr)}")
    facts = json.loads(done.stdout)
    assert isinstance(facts, dict)
    return facts


class MusterProcess:
    """A command that runs until it is stopped. A context manager; what it says on stderr goes to a file.

    Ctrl-C does not reach it: who started it stops it, or takes it along when it ends itself.
    """

    def __init__(self, *arguments: str, log_path: Path) -> None:
        """Starts it. Raises OSError."""
        self._name = arguments[0]
        self._log_path = log_path
        with log_path.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-c", _GUARDED, *arguments],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                start_new_session=True,
            )

    def wait_for_line(self, head: str, timeout_s: float) -> str:
        """The rest of the first line on stdout that begins with `head`.

        Raises:
            EnvironmentFault: it ended, or did not say that in time.
        """
        assert self._process.stdout is not None
        fd = self._process.stdout.fileno()
        deadline = time.monotonic() + timeout_s
        said = b""
        while True:
            *lines, _ = said.decode("utf-8", "replace").split("\n")
            for line in lines:
                if line.startswith(head):
                    return line[len(head) :].strip()
            ready, _, _ = select.select([fd], [], [], max(0.0, deadline - time.monotonic()))
            more = os.read(fd, 4096) if ready else b""
            if not more:
                raise EnvironmentFault(f"muster {self._name} did not start: {self._said()}")
            said += more

    def check(self) -> None:
        """Raises EnvironmentFault when it has ended."""
        if self._process.poll() is not None:
            raise EnvironmentFault(f"muster {self._name} ended with code {self._process.returncode}: {self._said()}")

    def stop(self) -> None:
        """Asks it to end, and makes it end when it does not."""
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(_STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _said(self) -> str:
        return _tail(self._log_path.read_text(errors="replace"))


def _tail(text: str) -> str:
    return " / ".join(text.strip().splitlines()[-_TAIL_LINES:]) or "it said nothing"
