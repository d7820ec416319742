# SPDX-License-Identifier: Apache-2.0
"""Looks through a product's devices in the order of their rows, a bounded time at a time: for what no index has."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, and_, func, select

from ota_server.devices.models import devices

PIECE = 5000
"""Devices that are looked at with one query; an expression of the slowest kind takes 10 ms for so many."""
SPREAD_MAX = 4
"""Rows of all products between the first and the last of a piece, by its devices."""
LOOK_S = 0.02
"""For how long a page looks: so that it is sent within a tenth of a second."""

Enough = Callable[[], bool]
"""Says when to stop."""


@dataclass(frozen=True, slots=True)
class Span:
    """Rows of a product, one after another: from `first` to `last`, so many `devices`."""

    product_id: int
    first: int
    last: int
    devices: int

    @property
    def condition(self) -> ColumnElement[bool]:
        """By rows. The sum keeps SQLite from an index of the product's, which would be read from end to end."""
        return and_(devices.c.id.between(self.first, self.last), devices.c.product_id + 0 == self.product_id)


@dataclass(frozen=True, slots=True)
class Looked:
    """How far a look has got.

    Attributes:
        rows: what was found, in their order.
        after: the last row that was looked at.
        devices: how many were looked at.
        is_done: there is none behind.
    """

    rows: Sequence[int]
    after: int
    devices: int
    is_done: bool


def for_seconds(seconds: float = LOOK_S) -> Enough:
    """Enough when so many have gone by."""
    end = time.monotonic() + seconds
    return lambda: time.monotonic() >= end


def spans(connection: Connection, product_id: int, after: int) -> Iterator[Span]:
    """All rows behind one, in pieces."""
    while True:
        own = (devices.c.product_id == product_id, devices.c.id > after)
        piece = select(devices.c.id).where(*own).order_by(devices.c.id).limit(PIECE).subquery()
        asked = select(func.min(piece.c.id), func.max(piece.c.id), func.count()).select_from(piece)
        first, last, count = connection.execute(asked).one()
        if not count:
            return
        if last - first >= SPREAD_MAX * PIECE:
            last = first + SPREAD_MAX * PIECE - 1
            query = select(func.count()).select_from(devices).where(*own, devices.c.id <= last)
            count = connection.execute(query).scalar_one()
        yield Span(product_id, first, last, count)
        after = last


def look(
    connection: Connection,
    product_id: int,
    where: Sequence[ColumnElement[bool]],
    after: int,
    rows_max: int,
    enough: Enough,
    until: int | None = None,
) -> Looked:
    """Finds rows behind one that fulfil conditions: until it is enough, at least a piece, or rows_max are found.

    `until`: no farther than the piece with this row.
    """
    found: list[int] = []
    seen = 0
    for span in spans(connection, product_id, after):
        query = select(devices.c.id).where(span.condition, *where).order_by(devices.c.id)
        found += connection.execute(query).scalars()
        after, seen = span.last, seen + span.devices
        if enough() or len(found) >= rows_max or (until is not None and after >= until):
            break
    return Looked(found, after, seen, not has_more(connection, product_id, after))


def count_to(connection: Connection, product_id: int, first: int, last: int) -> int:
    """Devices from a row to another one."""
    own = (devices.c.product_id == product_id, devices.c.id.between(first, last))
    return connection.execute(select(func.count()).select_from(devices).where(*own)).scalar_one()


def has_more(connection: Connection, product_id: int, after: int) -> bool:
    query = select(devices.c.id).where(devices.c.product_id == product_id, devices.c.id > after).limit(1)
    return connection.execute(query).first() is not None
