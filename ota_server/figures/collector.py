# SPDX-License-Identifier: Apache-2.0
"""Notes the figures of every product, a little after they change. Several processes may do so at once."""

from __future__ import annotations

import time

from sqlalchemy import Connection

from ota_server.clock import Clock
from ota_server.figures import standing, store
from ota_server.figures.models import HOUR_MS
from ota_server.figures.store import Mark
from ota_server.storage.database import Database
from ota_server.telemetry.feed import Feed
from ota_server.telemetry.steady import may_forget
from ota_server.worker import Worker

EVERY_S = 60.0
REST = 30
"""A product whose devices take long to count is counted again after so many times as long."""
SETTLED_MS = 150_000
"""Rows are counted when they have been there for so long: by then no transaction that is older than they are goes on,
whose rows would have smaller numbers."""


class Collector(Worker):
    """Counts what there is and what came, for all products."""

    def __init__(self, database: Database, feed: Feed, clock: Clock) -> None:
        super().__init__("collector", EVERY_S)
        self._database = database
        self._feed = feed
        self._clock = clock
        self._due_ms: dict[int, int] = {}

    def do_next(self) -> bool:
        """Looks at every product that is due."""
        now_ms = self._clock.now_ms()
        for name in store.TABLES:
            self._database.write(lambda connection, name=name: count_new(connection, name, now_ms))  # type: ignore[misc]
        with self._database.read() as connection:
            product_ids = store.product_ids(connection)
        for product_id in product_ids:
            if not 0 < self._due_ms.get(product_id, 0) - now_ms <= HOUR_MS:
                self._note(product_id, now_ms)
        return False

    def _note(self, product_id: int, now_ms: int) -> None:
        begin = time.monotonic()
        with self._database.read() as connection:
            counted = standing.counted(connection, product_id, now_ms)
            values = store.stand(connection, product_id, counted, now_ms)
        took_ms = int(1000 * (time.monotonic() - begin))
        # A little less than the time between two looks, so that the next one finds it due.
        self._due_ms[product_id] = now_ms + min(max(int(900 * EVERY_S), REST * took_ms), HOUR_MS)

        def write(connection: Connection) -> None:
            hour = now_ms // HOUR_MS
            store.keep(connection, product_id, hour, values)
            standing.keep(connection, product_id, counted)
            if may_forget(connection, now_ms):
                store.forget_old(connection, hour)

        self._database.write(write)
        self._feed.publish(product_id)


def count_new(connection: Connection, name: str, now_ms: int) -> None:
    """Adds the rows of a table that were seen at least SETTLED_MS ago, each once, to the hour at hand."""
    mark, newest = store.marks(connection).get(name), store.newest_id(connection, name)
    if mark is None:
        # What was there before figures were kept belongs to no hour.
        store.move_mark(connection, name, None, Mark(newest, newest, now_ms, newest))
        return
    if 0 <= now_ms - mark.seen_ms < SETTLED_MS or newest == mark.counted_id == mark.seen_id:
        return
    # Rows at the end may be gone, and their numbers be given again.
    after = Mark(min(mark.seen_id, newest), newest, now_ms, min(mark.first_id, newest))
    if not store.move_mark(connection, name, mark, after):
        return
    for product_id, counts in store.counts(connection, name, mark.counted_id, mark.seen_id).items():
        store.add(connection, product_id, now_ms // HOUR_MS, counts)
