# SPDX-License-Identifier: Apache-2.0
"""Says when devices go offline: nobody else does, since they are silent then."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, Row, insert, select, update

from ota_server.clock import Clock
from ota_server.devices.models import DeviceStatus, devices, presence
from ota_server.products.models import products
from ota_server.storage.database import Database
from ota_server.telemetry import events
from ota_server.telemetry.events import STATUS
from ota_server.telemetry.models import EventEntry, Source, cursors
from ota_server.telemetry.streams import Streams
from ota_server.worker import Worker

EVERY_S = 5.0
BATCH_MAX = 500
_CURSOR = "offline"


class Presence(Worker):
    """Publishes an event for each device whose time to be heard is over, once."""

    def __init__(self, database: Database, streams: Streams, clock: Clock) -> None:
        super().__init__("presence", EVERY_S)
        self._database = database
        self._streams = streams
        self._clock = clock

    def do_next(self) -> bool:
        """Looks at what has happened since the last time; True when there may be more."""
        now_ms = self._clock.now_ms()
        with self._database.read() as connection:
            last_ms = _last_ms(connection)
            if last_ms is not None and last_ms <= now_ms and not _gone(connection, last_ms, now_ms):
                return False
        count = self._database.write(lambda connection: publish_offline(connection, now_ms))
        self._streams.wake()
        return count > 0


def publish_offline(connection: Connection, now_ms: int) -> int:
    """Publishes for active devices among about BATCH_MAX that went offline since the last call.

    Returns how many it looked at: with 0 there are no more.
    """
    last_ms = _last_ms(connection)
    if last_ms is None:
        connection.execute(insert(cursors).values(name=_CURSOR, at_ms=now_ms))
        return 0
    if last_ms > now_ms:
        # The clock was ahead. Who went offline meanwhile by that clock is online again, or has been said to be offline.
        connection.execute(update(cursors).where(cursors.c.name == _CURSOR).values(at_ms=now_ms))
        return 0
    gone = _gone(connection, last_ms, now_ms)
    if not gone:
        return 0
    # Of another process that looks at the same time, one finds the cursor moved.
    moved = connection.execute(
        update(cursors).where(cursors.c.name == _CURSOR, cursors.c.at_ms == last_ms).values(at_ms=gone[-1][2])
    )
    if moved.rowcount == 0:
        return 0
    for row, device_id, at_ms, product_id, organization_id, status in gone:
        if status is DeviceStatus.ACTIVE:
            source = Source(organization_id, product_id, row, device_id)
            events.publish(connection, source, [EventEntry(at_ms, STATUS, "offline")], now_ms)
    return len(gone)


def _last_ms(connection: Connection) -> int | None:
    """Up to when it has been looked."""
    return connection.execute(select(cursors.c.at_ms).where(cursors.c.name == _CURSOR)).scalar_one_or_none()


def _gone(connection: Connection, last_ms: int, now_ms: int) -> Sequence[Row[int, str, int, int, int, DeviceStatus]]:
    """Who went offline in between, first ones first: row, id, when, product, organization, status."""
    until = presence.c.online_until_ms
    # Each product named, and the status not asked for: SQLite would read every active device otherwise.
    query = (
        select(devices.c.id, devices.c.device_id, until, products.c.id, products.c.organization_id, devices.c.status)
        .join_from(presence, devices, devices.c.id == presence.c.device_row)
        .join(products, products.c.id == presence.c.product_id)
        .where(presence.c.product_id.in_(select(products.c.id)), until > last_ms, until <= now_ms)
        .order_by(until)
    )
    rows = connection.execute(query.limit(BATCH_MAX)).all()
    if len(rows) < BATCH_MAX:
        return rows
    # The batch may end amid devices of one millisecond: they all belong to it.
    return connection.execute(query.where(until <= rows[-1][2])).all()
