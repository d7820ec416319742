# SPDX-License-Identifier: Apache-2.0
"""Whether a device's message is taken now, decided before any work is done for it."""

from __future__ import annotations

from ota_server.clock import Clock
from ota_server.devices.calendar import Calendar
from ota_server.errors import TooMany
from ota_server.storage.database import Database

WAITING_MAX = 1024
"""Writes that wait for a commit while devices may add more: the rest of the queue is for people."""
WAIT_MAX_S = 2.0
"""How long a device's write may be going to wait: a device gives a message up after five seconds."""
COME_BACK_S = 5
"""The soonest that a device is asked to come back."""


class Admission:
    """Lets messages of devices in while they can be answered in time; the others get a time to come back at."""

    def __init__(self, database: Database, calendar: Calendar, clock: Clock) -> None:
        self._database = database
        self._calendar = calendar
        self._clock = clock

    def check(self) -> None:
        """Raises TooMany: for Unavailable a balancer would ask the next server, and take this one for dead."""
        database = self._database
        if database.waiting >= WAITING_MAX or database.wait_s >= WAIT_MAX_S:
            raise TooMany("too much to do: come back later", self.come_back_s())

    def come_back_s(self) -> int:
        """When a device that was refused shall come, each at another time: the calendar bounds how many come then."""
        return self._calendar.place(self._clock.now_ms() // 1000, COME_BACK_S)
