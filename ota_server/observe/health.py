# SPDX-License-Identifier: Apache-2.0
"""Whether a server lives, and whether it can do its work."""

from __future__ import annotations

import concurrent.futures
import logging
import threading
import time
from collections.abc import Callable

from sqlalchemy import Connection, insert, update

from ota_server.errors import Unavailable
from ota_server.services import Services
from ota_server.storage.engine import describe
from ota_server.storage.migrate import is_current
from ota_server.telemetry.models import cursors

CHECK_EVERY_S = 2.0
"""How old an answer may be: whoever asks more often costs nothing."""
BLOBS_EVERY_S = 30.0
"""How long blobs that could be written need not be looked at: a bucket costs something each time."""
WRITE_TIMEOUT_S = 5.0
OK = "ok"
_CURSOR = "health"

_logger = logging.getLogger("ota_server.health")


class Health:
    """Looks at the parts of one server. Answers name parts and one of few words: nothing of what is in them."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._lock = threading.Lock()
        self._checked_at = -CHECK_EVERY_S
        self._kept_at = -BLOBS_EVERY_S
        self._found: dict[str, str] = {}

    def dead(self) -> list[str]:
        """The threads that are gone: only a new start helps then."""
        gone = [worker.name for worker in self._services.workers if not worker.is_alive]
        return gone if self._services.database.is_writing else ["writer", *gone]

    def check(self) -> dict[str, str]:
        """Each part with OK or what is wrong. One looks; whoever else asks meanwhile gets the same."""
        with self._lock:
            if time.monotonic() - self._checked_at >= CHECK_EVERY_S:
                found = {
                    "database": _try(self._write, "cannot be written"),
                    "tables": _try(self._look_at_tables, "cannot be read"),
                    "blobs": _try(self._look_at_blobs, "cannot be written"),
                    "threads": OK if not self.dead() else "gone",
                    "server": "stopping" if self._services.feed.is_closed else OK,
                }
                for part, word in found.items():
                    if word != self._found.get(part, OK):
                        _logger.log(logging.INFO if word == OK else logging.ERROR, "health: %s %s", part, word)
                self._found, self._checked_at = found, time.monotonic()
            return dict(self._found)

    def _write(self) -> str:
        """A write that is committed, as a check-in's is."""
        now_ms = self._services.clock.now_ms()
        try:
            self._services.database.submit(lambda connection: _touch(connection, now_ms)).result(WRITE_TIMEOUT_S)
        except concurrent.futures.TimeoutError:
            return "slow"
        return OK

    def _look_at_tables(self) -> str:
        with self._services.database.read() as connection:
            return OK if is_current(connection) else "of another version of this program"

    def _look_at_blobs(self) -> str:
        if time.monotonic() - self._kept_at >= BLOBS_EVERY_S:
            self._services.jobs.kept.check()
            self._services.jobs.served.check()
            self._kept_at = time.monotonic()
        return OK


def _try(check: Callable[[], str], trouble: str) -> str:
    try:
        return check()
    except Unavailable:
        return trouble
    except OSError as error:
        _logger.error("health: %s", describe(error))
        return trouble


def _touch(connection: Connection, now_ms: int) -> None:
    """Writes something that nobody reads."""
    if connection.execute(update(cursors).where(cursors.c.name == _CURSOR).values(at_ms=now_ms)).rowcount == 0:
        connection.execute(insert(cursors).values(name=_CURSOR, at_ms=now_ms))
