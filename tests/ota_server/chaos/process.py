# SPDX-License-Identifier: Apache-2.0
"""A `muster serve` that is killed and started again, with devices and a release manager who go on regardless."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from tests.ota_server.chaos.faults import Faults
from tests.ota_server.conftest import CBOR
from tests.ota_server.simulated import Lost

TIMEOUT_S = 60.0


class NotStarted(Exception):
    """The process ended before it served; the number is its exit code, or minus a signal."""

    def __init__(self, code: int) -> None:
        super().__init__(f"ended with {code}")
        self.code = code


@dataclass
class ServerProcess:
    """One `muster` process after another, forked from a zygote.

    Attributes:
        arguments: of `muster`.
        faults: what becomes of its writes.
        log: what it says on stderr.
            kills: how often it was killed.
    """

    zygote: subprocess.Popen[str]
    arguments: Sequence[str]
    faults: Faults
    log: Path
    kills: int = 0
    _pid: int | None = None
    _client: httpx.Client | None = None

    @property
    def is_running(self) -> bool:
        return self._pid is not None

    def start(self) -> None:
        """Returns when it listens. Raises NotStarted."""
        assert self._pid is None
        assert self.zygote.stdin is not None
        print(json.dumps({"arguments": list(self.arguments), "log": str(self.log)}), file=self.zygote.stdin, flush=True)
        self._pid = int(self._line("pid"))
        url = self._line("serving")
        self._client = httpx.Client(base_url=url.removeprefix("on "), timeout=TIMEOUT_S)

    def kill(self) -> None:
        """SIGKILL, at whatever it does."""
        assert self._pid is not None
        os.kill(self._pid, signal.SIGKILL)
        self._wait()

    def stop(self) -> int:
        """Asks it to stop; its exit code."""
        assert self._pid is not None
        os.kill(self._pid, signal.SIGTERM)
        return self._wait()

    def request(self, method: str, path: str, **arguments: object) -> httpx.Response:
        """Asks the server. Raises Lost when the process was killed meanwhile: then it runs again."""
        if self._client is None:
            self.start_again()
        assert self._client is not None
        try:
            return self._client.request(method, path, **arguments)  # type: ignore[arg-type]  # as httpx has them
        except httpx.TransportError as error:
            assert self._wait() == -signal.SIGKILL, "nobody killed it"
            raise Lost from error

    def start_again(self) -> None:
        """Until it runs: it may be killed while it starts."""
        while self._client is None:
            try:
                self.start()
            except NotStarted as error:
                if error.code != -signal.SIGKILL:
                    raise

    def post(self, path: str, body: bytes) -> tuple[int, bytes]:
        """As a device does it."""
        response = self.request("POST", path, content=body, headers=CBOR)
        return response.status_code, response.content

    def get(self, path: str, first: int, last: int) -> bytes | None:
        """As a device does it."""
        response = self.request("GET", path, headers={"range": f"bytes={first}-{last}"})
        return response.content if response.status_code == 206 else None

    def _line(self, begins: str) -> str:
        assert self.zygote.stdout is not None
        word, _, rest = self.zygote.stdout.readline().strip().partition(" ")
        if word == "ended":
            self.forget()
            self.kills += int(rest) == -signal.SIGKILL
            raise NotStarted(int(rest))
        assert word == begins, f"the zygote says {word} {rest}, not {begins}"
        return rest

    def _wait(self) -> int:
        with pytest.raises(NotStarted) as ended:
            self._line("ended")
        return ended.value.code

    def forget(self) -> None:
        """The process is gone."""
        self._pid = None
        if self._client is not None:
            self._client.close()
            self._client = None


@contextmanager
def server_process(arguments: Sequence[str], faults: Faults, log: Path) -> Iterator[ServerProcess]:
    """Not started yet; killed in the end."""
    command = ["setpriv", "--pdeathsig", "KILL", sys.executable, "-m", "tests.ota_server.chaos.zygote"]
    environment = {**os.environ, **faults.environment}
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment) as zygote:
        made = ServerProcess(zygote, arguments, faults, log)
        try:
            yield made
        finally:
            made.forget()
            zygote.kill()
