# SPDX-License-Identifier: Apache-2.0
"""A PostgreSQL server of the tests' own, with a new database for each test."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
import pytest
from sqlalchemy.engine import URL

from ota_server.storage.engine import POSTGRESQL
from ota_server.storage.migrate import migrate
from tests.waiting import wait_until

_EMPTY, _MIGRATED = "template1", "migrated"
_FORM = ("--encoding=UTF8", "--locale=C.UTF-8", "--wal-segsize=1")
_STARTS_IN_S = 60.0
SIZED = {"shared_buffers": "1GB", "max_wal_size": "4GB"}
"""Settings for a million devices, as docs/howto/run_the_server.md has them."""


@dataclass
class PostgreSql:
    """A server that listens on a socket in its folder only."""

    folder: Path
    settings: Mapping[str, str] = field(default_factory=dict)
    _made: int = 0
    _process: subprocess.Popen[bytes] | None = None

    def url(self, name: str) -> URL:
        return URL.create(POSTGRESQL, "muster", database=name, query={"host": str(self.folder)})

    @contextlib.contextmanager
    def database(self, is_migrated: bool = True) -> Iterator[URL]:
        """A database that is there until the context ends, with the newest tables or empty."""
        self._made += 1
        name = f"test{self._made}"
        self.do(f"CREATE DATABASE {name} TEMPLATE {_MIGRATED if is_migrated else _EMPTY}")
        try:
            yield self.url(name)
        finally:
            self.do(f"DROP DATABASE {name} WITH (FORCE)")

    def init(self) -> None:
        # A log of small files: tests come to the end of one.
        self._run("initdb", "--no-sync", "--auth=trust", "--username=muster", *_FORM)
        self.start()
        self.do(f"CREATE DATABASE {_MIGRATED}")
        migrate(self.url(_MIGRATED))

    def start(self, preload: Mapping[str, str] | None = None) -> None:
        """`preload`: of its environment."""
        # Ends with this process, however that one ends.
        command = ["setpriv", "--pdeathsig", "INT", _find("postgres"), "-D", str(self.folder / "data")]
        settings = {"listen_addresses": "", "unix_socket_directories": str(self.folder), **self.settings}
        command += [f"--{name}={value}" for name, value in settings.items()]
        with (self.folder / "log").open("ab") as log, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as told:
            # An abstract address: it says to this what it would say to systemd.
            told.bind("")
            told.settimeout(_STARTS_IN_S)
            environment = {**os.environ, **(preload or {}), "NOTIFY_SOCKET": "@" + told.getsockname()[1:].decode()}
            self._process = subprocess.Popen(command, user=_user(), cwd="/", stdout=log, stderr=log, env=environment)
            try:
                while b"READY=1" not in told.recv(4096):
                    pass
            except TimeoutError:
                pytest.fail((self.folder / "log").read_text())

    def come_back(self, preload: Mapping[str, str]) -> None:
        """Waits for what it does by itself after a fault; where that ended it, it is started again."""
        process = self._process
        assert process is not None
        wait_until(lambda: process.poll() is not None or self._is_ready())
        if process.poll() is not None:
            self.start(preload)

    @property
    def pid(self) -> int | None:
        """Of its first process, whose children the others are."""
        return None if self._process is None else self._process.pid

    def stop(self) -> None:
        """Ends every connection at once; what was committed is there after a start."""
        if self._process is not None:
            self._process.send_signal(signal.SIGQUIT)
            self._process.wait()

    def kill(self) -> None:
        """SIGKILL for all of its processes."""
        assert self._process is not None
        for pid in (self._process.pid, *children(self._process.pid)):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._process.wait()

    def kill_child(self, pid: int) -> None:
        """SIGKILL for one of its children, for whose sake it ends all others. Returns when it answers again."""
        os.kill(pid, signal.SIGKILL)
        assert self._process is not None
        parent = self._process.pid
        wait_until(lambda: pid not in children(parent) and self._is_ready())

    def _is_ready(self) -> bool:
        try:
            self.do("SELECT 1")
        except psycopg.OperationalError:
            return False
        return True

    def do(self, statement: str) -> None:
        """Runs a statement that is no part of a transaction."""
        with psycopg.connect(host=str(self.folder), user="muster", dbname="postgres", autocommit=True) as connection:
            connection.execute(statement.encode())

    def _run(self, program: str, *arguments: str) -> None:
        command = [_find(program), "--pgdata", str(self.folder / "data"), *arguments]
        done = subprocess.run(command, user=_user(), cwd="/", capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


def children(pid: int) -> list[int]:
    """Processes that a process has begun."""
    return [int(number) for path in Path(f"/proc/{pid}/task").glob("*/children") for number in path.read_text().split()]


@contextlib.contextmanager
def run_postgresql(settings: Mapping[str, str] | None = None) -> Iterator[PostgreSql]:
    """A server until the context ends, with settings other than the default ones."""
    # Not below pytest's own folder: PostgreSQL's user may not enter that one, and a socket's path is short.
    folder = Path(tempfile.mkdtemp(prefix="muster-postgresql-"))
    server = PostgreSql(folder, settings or {})
    user = _user()
    if user is not None:
        shutil.chown(folder, user)
    try:
        server.init()
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder)


def _user() -> str | None:
    """PostgreSQL does not run as root; Debian's package makes a user for it."""
    return "postgres" if os.geteuid() == 0 else None


def _find(program: str) -> str:
    """Debian keeps several versions, none of them on the path."""
    places = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda place: float(place.parent.name), reverse=True)
    found = shutil.which(program, path=os.pathsep.join([os.environ["PATH"], *map(str, places)]))
    assert found is not None, "install the Debian package postgresql"
    return found
