# SPDX-License-Identifier: Apache-2.0
"""Since when the clock has gone evenly.

A clock that leapt is wrong now or was wrong before. What is done only because time has passed, and cannot be undone,
waits: nothing is forgotten on the day after a leap, and a soak time begins anew.
"""

from __future__ import annotations

import logging

from sqlalchemy import Connection, insert, select, update

from ota_server.telemetry.models import cursors

HOUR_MS = 3600 * 1000
LEAP_MS = 25 * HOUR_MS
"""More than this between two looks at the clock is a leap, or a time in which no server ran: that counts as one."""
LOOK_EVERY_MS = 60 * 1000
FORGET_AFTER_MS = 24 * HOUR_MS
"""After a leap."""
_LOOKED, _STEADY = "clock", "steady"

_logger = logging.getLogger("ota_server")


def steady_since(connection: Connection, now_ms: int) -> int:
    """The time of the last leap; now, if it is one; 0 when there was none."""
    looked_ms = _at(connection, _LOOKED)
    if looked_ms is not None and abs(now_ms - looked_ms) > LEAP_MS:
        return now_ms
    return _at(connection, _STEADY) or 0


def may_forget(connection: Connection, now_ms: int) -> bool:
    """Whether what is old by the clock is old."""
    steady_ms = steady_since(connection, now_ms)
    return steady_ms == 0 or now_ms - steady_ms >= FORGET_AFTER_MS


def is_due(connection: Connection, now_ms: int) -> bool:
    """Whether it is time for `look`."""
    looked_ms = _at(connection, _LOOKED)
    return looked_ms is None or abs(now_ms - looked_ms) >= LOOK_EVERY_MS


def look(connection: Connection, now_ms: int) -> None:
    """Writes down what the clock shows, and whether it has leapt since the last look."""
    looked_ms = _at(connection, _LOOKED)
    if looked_ms is not None and abs(now_ms - looked_ms) > LEAP_MS:
        hours = (now_ms - looked_ms) // HOUR_MS
        _logger.warning("the clock leapt by %d hours: soak times begin anew, nothing is forgotten for a day", hours)
        _set(connection, _STEADY, now_ms)
    _set(connection, _LOOKED, now_ms)


def _at(connection: Connection, name: str) -> int | None:
    return connection.execute(select(cursors.c.at_ms).where(cursors.c.name == name)).scalar_one_or_none()


def _set(connection: Connection, name: str, at_ms: int) -> None:
    if connection.execute(update(cursors).where(cursors.c.name == name).values(at_ms=at_ms)).rowcount == 0:
        connection.execute(insert(cursors).values(name=name, at_ms=at_ms))
