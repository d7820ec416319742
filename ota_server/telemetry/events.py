# SPDX-License-Identifier: Apache-2.0
"""Events: something that a device, a person or the server itself lets others know."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, func, insert, select

from ota_server.errors import Invalid
from ota_server.telemetry.models import EventEntry, Source, events
from ota_server.webhooks import queue

NAME_MAX = 64
DATA_MAX = 1024
TTL_DEFAULT_S = 60
TTL_MAX_S = 16_777_215
STATUS = "spark/status"
"""Its data is `online` or `offline`."""
RESERVED = ("spark/", "particle/")
"""How names of events begin that only the server itself publishes."""


@dataclass(frozen=True, slots=True)
class Event:
    """A published event; ids rise."""

    id: int
    at_ms: int
    source: Source
    name: str
    data: str
    ttl_s: int


_COLUMNS = (
    events.c.id,
    events.c.at_ms,
    events.c.name,
    events.c.data,
    events.c.ttl_s,
    events.c.organization_id,
    events.c.product_id,
    events.c.device_row,
    events.c.core_id,
)


def check(name: str, data: str, ttl_s: int) -> None:
    """Raises Invalid for what nobody may publish."""
    if not 1 <= len(name.encode(errors="replace")) <= NAME_MAX or not name.isprintable() or name != name.strip():
        raise Invalid(f"an event's name has 1 to {NAME_MAX} printable bytes", "name")
    if name.lower().startswith(RESERVED):
        raise Invalid(f"names that begin with {' or '.join(RESERVED)} are the server's own", "name")
    try:
        is_long = len(data.encode()) > DATA_MAX
    except UnicodeEncodeError:  # JSON can spell half of a surrogate pair
        is_long = True
    if is_long:
        raise Invalid(f"an event's data is text of at most {DATA_MAX} bytes", "data")
    if not 0 <= ttl_s <= TTL_MAX_S:
        raise Invalid(f"ttl is from 0 to {TTL_MAX_S} seconds", "ttl")


def publish_told(connection: Connection, source: Source, entries: Sequence[EventEntry], now_ms: int) -> None:
    """Publishes what a device told, as far as a device may."""
    publish(connection, source, [one for one in _tidied(entries) if not one.name.lower().startswith(RESERVED)], now_ms)


def publish_answer(connection: Connection, source: Source, entries: Sequence[EventEntry]) -> None:
    """Publishes what a server answered to a webhook; no webhook hears it."""
    _keep(connection, source, _tidied(entries), TTL_DEFAULT_S)


def publish(
    connection: Connection,
    source: Source,
    entries: Sequence[EventEntry],
    now_ms: int,
    ttl_s: int = TTL_DEFAULT_S,
) -> None:
    """Keeps events, and queues them for the webhooks that hear them; streams carry them after the commit."""
    if entries:
        _keep(connection, source, entries, ttl_s)
        queue.enqueue(connection, source, entries, now_ms)


def _tidied(entries: Sequence[EventEntry]) -> list[EventEntry]:
    """Events of others: a name loses what a line of a stream cannot hold, and one without a name is none."""
    named = []
    for entry in entries:
        name = "".join(letter if letter.isprintable() else "?" for letter in entry.name)[:NAME_MAX].strip()
        if name:
            named.append(EventEntry(entry.at_ms, name, entry.data[:DATA_MAX]))
    return named


def _keep(connection: Connection, source: Source, entries: Sequence[EventEntry], ttl_s: int) -> None:
    whose = {
        "organization_id": source.organization_id,
        "product_id": source.product_id,
        "device_row": source.device_row,
        "core_id": source.core_id,
        "ttl_s": ttl_s,
    }
    rows = [{"at_ms": entry.at_ms, "name": entry.name, "data": entry.data, **whose} for entry in entries]
    if rows:
        connection.execute(insert(events), rows)


def newest_id(connection: Connection) -> int:
    """0 when there are none."""
    return connection.execute(select(func.max(events.c.id))).scalar_one() or 0


def after(connection: Connection, event_id: int, limit: int) -> list[Event]:
    """The next events behind an id."""
    rows = connection.execute(select(*_COLUMNS).where(events.c.id > event_id).order_by(events.c.id).limit(limit))
    return [Event(row[0], row[1], Source(*row[5:]), row[2], row[3], row[4]) for row in rows]
