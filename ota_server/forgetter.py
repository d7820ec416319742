# SPDX-License-Identifier: Apache-2.0
"""Writes down what organizations have, and removes what is kept long enough. Several processes may do so at once."""

from __future__ import annotations

from sqlalchemy import Connection

from ota_server.accounts import store as accounts
from ota_server.calls import store as calls
from ota_server.clock import Clock
from ota_server.mail import outbox
from ota_server.oauth import grants
from ota_server.rollouts import baseline
from ota_server.storage.database import Database
from ota_server.telemetry import store as telemetry
from ota_server.telemetry.steady import may_forget
from ota_server.usage.service import DAY_MS, note_amounts
from ota_server.worker import Worker

EVERY_S = 3600.0


class Forgetter(Worker):
    """Forgets logs and events, mails that failed, calls that nobody waits for, sign-ins and tokens that expired.

    Args:
        keep_days: how long logs, events and mails are kept.
    """

    def __init__(self, database: Database, keep_days: int, clock: Clock) -> None:
        super().__init__("forgetter", EVERY_S)
        self._database = database
        self._keep_days = keep_days
        self._clock = clock

    def do_next(self) -> bool:
        """Does all of it."""
        now_ms = self._clock.now_ms()
        self._database.write(lambda connection: self._forget(connection, now_ms))
        return False

    def _forget(self, connection: Connection, now_ms: int) -> None:
        note_amounts(connection, now_ms)
        if not may_forget(connection, now_ms):
            return
        outbox.forget_before(connection, now_ms - self._keep_days * DAY_MS)
        calls.forget_before(connection, now_ms)
        baseline.forget_old(connection, now_ms)
        accounts.end_expired(connection, now_ms)
        grants.end_expired(connection, now_ms)
        telemetry.forget_old(connection, now_ms, self._keep_days)
