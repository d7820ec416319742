# SPDX-License-Identifier: Apache-2.0
"""`muster` processes that are killed and started again, with devices and a release manager who go on regardless."""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import subprocess
import sys
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

from tests.ota_server.chaos.faults import Faults
from tests.ota_server.conftest import CBOR
from tests.ota_server.simulated import Lost

TIMEOUT_S = 60.0


class NotStarted(Exception):
    """The process ended before it was ready; the number is its exit code, or minus a signal."""

    def __init__(self, code: int) -> None:
        super().__init__(f"ended with {code}")
        self.code = code


@dataclass
class Process:
    """One `muster` process after another, forked from a zygote.

    Attributes:
        zygote: a child of it (`zygote`).
        arguments: of `muster`.
        log: what it says on stderr.
        kills: how often it was killed.
        pid: None while it does not run.
    """

    zygote: socket.socket
    arguments: Sequence[str]
    log: Path
    kills: int = 0
    pid: int | None = None
    _heard: bytearray = field(default_factory=bytearray)

    @property
    def is_running(self) -> bool:
        return self.pid is not None

    def start(self) -> None:
        """Returns when it is ready. Raises NotStarted."""
        assert self.pid is None
        order = json.dumps({"arguments": list(self.arguments), "log": str(self.log)})
        self.zygote.sendall(f"{order}\n".encode())
        self.pid = int(self._line("pid"))
        self.is_ready()

    def is_ready(self) -> None:
        """Waits for what a worker says."""
        self._line("working")

    def start_again(self) -> None:
        """Until it runs: it may be killed while it starts."""
        while not self.is_running:
            try:
                self.start()
            except NotStarted as error:
                if error.code != -signal.SIGKILL:
                    raise

    def notice(self) -> None:
        """Learns of the process's end, if it has been killed."""
        if self.is_running and (self._heard or select.select([self.zygote], [], [], 0)[0]):
            assert self.wait() == -signal.SIGKILL, "nobody killed it"

    def kill(self) -> None:
        """SIGKILL, at whatever it does."""
        assert self.pid is not None
        os.kill(self.pid, signal.SIGKILL)
        self.wait()

    def stop(self) -> int:
        """Asks it to stop; its exit code."""
        assert self.pid is not None
        os.kill(self.pid, signal.SIGTERM)
        return self.wait()

    def wait(self) -> int:
        """For its end; its exit code, or minus a signal."""
        with pytest.raises(NotStarted) as ended:
            self._line("ended")
        return ended.value.code

    def forget(self) -> None:
        """The process is gone."""
        self.pid = None

    def _line(self, begins: str) -> str:
        while b"\n" not in self._heard:
            said = self.zygote.recv(4096)
            assert said, "the zygote is gone"
            self._heard += said
        line, _, self._heard = self._heard.partition(b"\n")
        word, _, rest = line.decode().partition(" ")
        if word == "ended":
            self.forget()
            self.kills += int(rest) == -signal.SIGKILL
            raise NotStarted(int(rest))
        assert word == begins, f"the zygote says {word} {rest}, not {begins}"
        return rest


class Service(ABC):
    """What devices and a release manager reach. Its processes share faults."""

    faults: Faults
    log: Path

    @abstractmethod
    def request(self, method: str, path: str, **arguments: object) -> httpx.Response:
        """Asks the server. Raises Lost when a process was killed meanwhile: then it runs again."""

    def post(self, path: str, body: bytes) -> tuple[int, bytes]:
        """As a device does it."""
        response = self.request("POST", path, content=body, headers=CBOR)
        return response.status_code, response.content

    def get(self, path: str, first: int, last: int) -> bytes | None:
        """As a device does it."""
        response = self.request("GET", path, headers={"range": f"bytes={first}-{last}"})
        return response.content if response.status_code == 206 else None


@dataclass
class ServerProcess(Process, Service):
    """One `muster serve` after another."""

    faults: Faults = field(kw_only=True)
    _client: httpx.Client | None = None

    def is_ready(self) -> None:
        url = self._line("serving")
        self._client = httpx.Client(base_url=url.removeprefix("on "), timeout=TIMEOUT_S)

    def request(self, method: str, path: str, **arguments: object) -> httpx.Response:
        self.start_again()
        assert self._client is not None
        try:
            return self._client.request(method, path, **arguments)  # type: ignore[arg-type]  # as httpx has them
        except httpx.TransportError as error:
            assert self.wait() == -signal.SIGKILL, "nobody killed it"
            raise Lost from error

    def forget(self) -> None:
        super().forget()
        if self._client is not None:
            self._client.close()
            self._client = None


class Zygote:
    """Runs processes, all with the same faults. Made by `zygote`."""

    def __init__(self, path: Path, faults: Faults, log: Path) -> None:
        self._path = path
        self.faults = faults
        self.log = log
        self._made: list[Process] = []

    def server(self, arguments: Sequence[str]) -> ServerProcess:
        """Not started yet."""
        made = ServerProcess(self._connect(), ["serve", *arguments], self.log, faults=self.faults)
        self._made.append(made)
        return made

    def worker(self, arguments: Sequence[str]) -> Process:
        """Not started yet."""
        made = Process(self._connect(), ["worker", *arguments], self.log)
        self._made.append(made)
        return made

    def close(self) -> None:
        """The processes are gone."""
        for process in self._made:
            process.forget()
            process.zygote.close()

    def _connect(self) -> socket.socket:
        connection = socket.socket(socket.AF_UNIX)
        connection.connect(str(self._path))
        return connection


@contextmanager
def zygote(faults: Faults, path: Path, log: Path) -> Iterator[Zygote]:
    """Its processes are killed in the end. `path`: of a new socket; `log`: of all that they log."""
    command = ["setpriv", "--pdeathsig", "KILL", sys.executable, "-m", "tests.ota_server.chaos.zygote", str(path)]
    environment = {**os.environ, **faults.environment}
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"listening\n"
        made = Zygote(path, faults, log)
        try:
            yield made
        finally:
            process.kill()
            made.close()
