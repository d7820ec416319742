# SPDX-License-Identifier: Apache-2.0
"""Servers and workers as processes, on one database and one bucket, and devices that use any of the servers."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy.engine import URL

from muster.signing.keys import PrivateKey, write_private_key
from ota_server.clock import SystemClock
from ota_server.organizations.service import add_administrator
from ota_server.storage.database import Database
from ota_server.storage.migrate import migrate
from ota_server.storage.s3 import Bucket
from tests.ota_server import keys
from tests.ota_server.conftest import CBOR, EMAIL, ORGANIZATION
from tests.ota_server.simulated import SimulatedDevice

MUSTER = [sys.executable, "-c", "from muster.cli.main import main; main()"]


@dataclass
class Process:
    """One `muster serve` or `muster worker`, which may be started again."""

    arguments: list[str]
    environment: dict[str, str]
    log: Path
    url: str = ""
    running: subprocess.Popen[str] | None = None

    def start(self) -> None:
        with self.log.open("a") as log:
            self.running = subprocess.Popen(
                [*MUSTER, *self.arguments], stdout=subprocess.PIPE, stderr=log, text=True, env=self.environment
            )
        assert self.running.stdout is not None
        line = self.running.stdout.readline().split()
        assert line, self.log.read_text()
        # A server says where it is, a worker that it works.
        self.url = line[-1]

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Its exit code."""
        assert self.running is not None
        self.running.send_signal(number)
        with self.running as ended:
            return ended.wait(120)


@dataclass
class Cluster:
    """Two servers and two workers."""

    folder: Path
    database: URL
    bucket: Bucket
    servers: list[Process] = field(default_factory=list)
    workers: list[Process] = field(default_factory=list)
    turn: int = 0
    lost: int = 0

    def __post_init__(self) -> None:
        self.environment = {
            **os.environ,
            "MUSTER_DATABASE": self.database.render_as_string(hide_password=False).replace("+psycopg", ""),
            "MUSTER_BUCKET": f"s3://{self.bucket.name}/{self.bucket.prefix}",
            "AWS_ENDPOINT_URL": self.bucket.endpoint or "",
        }
        write_private_key(self.folder / "online.pem", PrivateKey(keys.key("online").seed))
        (self.folder / "keyset.cbor").write_bytes(keys.keyset().to_bytes())
        for number in (1, 2):
            data = ["--data", str(self.folder / f"data{number}")]
            serve = ["serve", *data, *self._keys(), "--port", "0", "--no-worker"]
            self.servers.append(self._process(serve, f"serve{number}"))
            self.workers.append(self._process(["worker", *data], f"worker{number}"))

    def init(self) -> str:
        """Makes the tables and an account, and returns its token."""
        migrate(self.database)
        with closing(Database(self.database)) as database:
            return database.write(lambda c: add_administrator(c, EMAIL, "-", ORGANIZATION, SystemClock().now_ms()))

    def device(self, number: int, version: int) -> SimulatedDevice:
        return SimulatedDevice(self._post, self._get, bytes([number]) * 12, keys.key(f"d{number}"), keys.image(version))

    def logs(self) -> str:
        return "\n".join(path.read_text() for path in sorted(self.folder.glob("*.log")))

    def end(self) -> None:
        for process in (*self.servers, *self.workers):
            if process.running is not None and process.running.poll() is None:
                process.stop(signal.SIGKILL)

    def _keys(self) -> list[str]:
        return ["--online-key", str(self.folder / "online.pem"), "--keyset", str(self.folder / "keyset.cbor")]

    def _process(self, arguments: list[str], name: str) -> Process:
        return Process(arguments, self.environment, self.folder / f"{name}.log")

    def _post(self, path: str, body: bytes) -> tuple[int, bytes]:
        response = self._send("POST", path, content=body, headers=CBOR)
        return response.status_code, response.content

    def _get(self, path: str, first: int, last: int) -> bytes | None:
        response = self._send("GET", path, headers={"range": f"bytes={first}-{last}"})
        return response.content if response.status_code == 206 else None

    def _send(self, method: str, path: str, **arguments: Any) -> httpx.Response:
        """To the servers in turn; one that is not there is passed over, as a balancer does."""
        for _ in self.servers:
            self.turn += 1
            server = self.servers[self.turn % len(self.servers)]
            try:
                return httpx.request(method, server.url + path, timeout=60, **arguments)
            except httpx.ConnectError:
                self.lost += 1
        raise AssertionError("no server is there")
