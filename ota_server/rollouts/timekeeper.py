# SPDX-License-Identifier: Apache-2.0
"""Moves rollouts on when their time has come: no check-in says so."""

from __future__ import annotations

from functools import partial

from ota_server.clock import Clock
from ota_server.rollouts import service, store
from ota_server.storage.database import Database
from ota_server.telemetry import steady
from ota_server.telemetry.feed import Feed
from ota_server.worker import Worker

EVERY_S = 5.0


class Timekeeper(Worker):
    """Looks at every rollout that waits for something. Several processes may do so at once: a move is made once."""

    def __init__(self, database: Database, feed: Feed, clock: Clock) -> None:
        super().__init__("timekeeper", EVERY_S)
        self._database = database
        self._feed = feed
        self._clock = clock

    def do_next(self) -> bool:
        """Looks at all of them; writes only about those that something is due for."""
        now_ms = self._clock.now_ms()
        with self._database.read() as connection:
            is_looking = steady.is_due(connection, now_ms)
        if is_looking:
            self._database.write(lambda connection: steady.look(connection, now_ms))
        with self._database.read() as connection:
            due = [one for one in store.under_way(connection) if service.is_due(connection, one, now_ms)]
        # All are asked for before the first is waited for: one that fails does not hold up the others.
        writes = [self._database.submit(partial(service.keep_time, rollout_id=one.id, now_ms=now_ms)) for one in due]
        for one, write in zip(due, writes, strict=True):
            write.result()
            self._feed.publish(one.product_id)
        return False
