# SPDX-License-Identifier: Apache-2.0
"""Servers and workers on one PostgreSQL, behind something that passes requests on, and all of them may be killed."""

from __future__ import annotations

import os
import random
import signal
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

import httpx

from tests.ota_server.chaos.faults import Faults
from tests.ota_server.chaos.process import Process, ServerProcess, Service
from tests.ota_server.postgresql import PostgreSql, children


@dataclass
class Supervised(Service):
    """A server, and a database that is started again when it has ended and there is space, as systemd does."""

    server: ServerProcess
    postgresql: PostgreSql

    def __post_init__(self) -> None:
        self.faults, self.log = self.server.faults, self.server.log

    def request(self, method: str, path: str, **arguments: object) -> httpx.Response:
        if not self.faults.is_armed:
            self.postgresql.come_back(self.faults.environment)
        return self.server.request(method, path, **arguments)


class Victim(Enum):
    """What is killed at once."""

    SERVER = "one of the servers"
    WORKER = "one of the workers"
    ENCODER = "what makes a worker's patches"
    BACKEND = "a process of the database: the database ends all others"
    DATABASE = "the database, and one of the servers and of the workers with it"
    ALL = "everything"


@dataclass
class Several(Service):
    """Servers in turn; who was killed runs again before something is asked.

    Attributes:
        kills: of each kind of victim, from outside; those amid a step are counted by the processes.
    """

    servers: list[ServerProcess]
    workers: list[Process]
    postgresql: PostgreSql
    faults: Faults
    log: Path
    rng: random.Random
    kills: dict[Victim, int] = field(default_factory=lambda: dict.fromkeys(Victim, 0))
    _turn: int = 0

    @property
    def processes(self) -> list[Process]:
        return [*self.servers, *self.workers]

    @property
    def killed(self) -> int:
        """How often a process was killed."""
        own = sum(process.kills for process in self.processes)
        others = (Victim.ENCODER, Victim.BACKEND, Victim.DATABASE, Victim.ALL)
        return own + sum(self.kills[victim] for victim in others)

    def request(self, method: str, path: str, **arguments: object) -> httpx.Response:
        for process in self.processes:
            process.notice()
            # A worker, too, may be killed while it starts.
            process.start_again()
        self._turn += 1
        return self.servers[self._turn % len(self.servers)].request(method, path, **arguments)

    def kill(self, victim: Victim) -> None:
        """SIGKILL, and the database runs again afterwards."""
        server, worker = self.rng.choice(self.servers), self.rng.choice(self.workers)
        match victim:
            case Victim.SERVER:
                _kill(server)
            case Victim.WORKER:
                _kill(worker)
            case Victim.ENCODER:
                encoders = [] if worker.pid is None else children(worker.pid)
                if not encoders:
                    return
                os.kill(self.rng.choice(encoders), signal.SIGKILL)
            case Victim.BACKEND:
                assert self.postgresql.pid is not None
                self.postgresql.kill_child(self.rng.choice(children(self.postgresql.pid)))
            case Victim.DATABASE | Victim.ALL:
                chosen = [server, worker] if victim is Victim.DATABASE else self.processes
                for process in chosen[::2]:
                    _kill(process)
                self.postgresql.kill()
                for process in chosen[1::2]:
                    _kill(process)
                self.postgresql.start()
        self.kills[victim] += 1

    def stop(self) -> list[int]:
        """Asks all to stop; their exit codes."""
        return [process.stop() for process in self.processes]


def _kill(process: Process) -> None:
    process.notice()
    if process.is_running:
        process.kill()
