# SPDX-License-Identifier: Apache-2.0
"""Empties the outbox in a thread of its own: a mail is tried again, less and less often, and then given up."""

from __future__ import annotations

import logging
from collections import Counter

from ota_server.clock import Clock
from ota_server.mail import outbox
from ota_server.mail.models import QueuedMail
from ota_server.mail.smtp import Mailer, NotSent
from ota_server.storage.database import Database
from ota_server.worker import Worker

EVERY_S = 30.0
TRIES_MAX = 10
FIRST_DELAY_S = 60
DELAY_MAX_S = 6 * 3600

_logger = logging.getLogger("ota_server.mail")


class Postman(Worker):
    """Sends what is due, oldest first. A mail is sent twice when its process dies between sending and noting it.

    Args:
        mailer: what sends; None: mails wait until the server is started with one.

    Attributes:
        results: how tries have ended.
    """

    def __init__(self, database: Database, mailer: Mailer | None, clock: Clock) -> None:
        super().__init__("postman", EVERY_S)
        self._database = database
        self._mailer = mailer
        self._clock = clock
        self.results: Counter[str] = Counter(sent=0, put_off=0, given_up=0)

    def do_next(self) -> bool:
        """Tries to send the mail that is due first."""
        if self._mailer is None:
            return False
        now_ms = self._clock.now_ms()
        with self._database.read() as connection:
            queued = outbox.due(connection, now_ms)
        if queued is None:
            return False
        if not self._database.write(lambda connection: outbox.take(connection, queued, now_ms)):
            return True
        try:
            self._mailer.send(queued)
        except NotSent as error:
            self._put_off(queued, error)
        else:
            self.results["sent"] += 1
            self._database.write(lambda connection: outbox.sent(connection, queued))
        return True

    def _put_off(self, queued: QueuedMail, error: NotSent) -> None:
        # What a mail server says often repeats the address, which is a person's: the log names the row only.
        reason = str(error).replace(queued.mail.recipient, "the recipient")[:200]
        tries = queued.tries + 1
        if error.is_final or tries >= TRIES_MAX:
            self.results["given_up"] += 1
            _logger.warning("mail %d is given up: %s", queued.id, reason)
            self._database.write(lambda connection: outbox.fail(connection, queued, reason))
            return
        self.results["put_off"] += 1
        _logger.warning("mail %d was not sent, try %d of %d: %s", queued.id, tries, TRIES_MAX, reason)
        due_ms = self._clock.now_ms() + 1000 * min(FIRST_DELAY_S * 3**queued.tries, DELAY_MAX_S)
        self._database.write(lambda connection: outbox.put_off(connection, queued, due_ms, reason))
