# SPDX-License-Identifier: Apache-2.0
"""Finds a page of devices within a bounded time, however many the product has: by an index, or looking at some."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from sqlalchemy import Connection, func, select

from ota_server.devices import search, walk
from ota_server.devices.models import Device, devices, group_devices, groups, presence
from ota_server.devices.search import FEW_MAX, Search
from ota_server.devices.walk import Enough, Looked

SMALL_MAX = 10_000
"""Devices of a product that are looked through with one query, whatever is asked."""
COUNT_MAX = 10_000
"""Devices that are counted where an index finds them."""

_INDEXED = ("status", "version", "online_at_ms", "offline_at_ms", "customer_id", "heard_from_ms", "heard_until_ms")


@dataclass(frozen=True, slots=True)
class Found:
    """A page of devices.

    Attributes:
        total: on all pages.
        is_more: there are more than that.
        looked: where only some of the product's devices were looked at: how far.
    """

    devices: Sequence[Device]
    total: int
    is_more: bool = False
    looked: Looked | None = None


def find(connection: Connection, product_id: int, wanted: Search, after: int, enough: Enough) -> Found:
    """A page in the order that is asked for; where only some devices are looked at, those behind a row."""
    asked = narrowed(connection, product_id, wanted)
    if asked is not None:
        rows, total = search.of_product(connection, product_id, asked, COUNT_MAX + 1)
        return Found(rows, min(total, COUNT_MAX), total > COUNT_MAX)
    looked = _look(connection, product_id, wanted, after, FEW_MAX + 1, enough)
    if not after and len(looked.rows) > FEW_MAX:
        # Many are like this: some are soon found in any order.
        many = replace(wanted, looks_ahead=False)
        rows, _ = search.of_product(connection, product_id, many, FEW_MAX + 1)
        return Found(rows, FEW_MAX, True)
    if not after and looked.is_done:
        rows, total = search.of_product(connection, product_id, _among(wanted, looked.rows))
        return Found(rows, total)
    return _part(connection, product_id, wanted, looked)


def rows_of(
    connection: Connection, product_id: int, wanted: Search, after: int, until: int | None, limit: int, enough: Enough
) -> Looked:
    """Rows that are found, at most so many; behind one, and up to one, where some devices are looked at."""
    asked = narrowed(connection, product_id, wanted)
    if asked is not None:
        return Looked(search.rows_of_product(connection, product_id, asked, limit), 0, 0, True)
    if until is not None:
        wanted = replace(wanted, also=(*wanted.also, devices.c.id <= until))
    looked = _look(connection, product_id, wanted, after, limit, enough, until)
    return replace(looked, rows=looked.rows[:limit])


def narrowed(connection: Connection, product_id: int, wanted: Search) -> Search | None:
    """What is asked for in a way that an index answers; None where devices have to be looked at."""
    some = select(devices.c.id).where(devices.c.product_id == product_id).limit(SMALL_MAX + 1).subquery()
    if connection.execute(select(func.count()).select_from(some)).scalar_one() <= SMALL_MAX:
        return wanted
    few = _few(connection, product_id, wanted)
    if few is not None:
        return _among(wanted, few)
    plain = Search(order=wanted.order, descending=wanted.descending, page=wanted.page, per_page=wanted.per_page)
    ways = [{name: getattr(wanted, name)} for name in (*_INDEXED, "groups", "is_locked", "development")]
    return wanted if wanted == plain or any(wanted == replace(plain, **way) for way in ways) else None


def _few(connection: Connection, product_id: int, wanted: Search) -> list[int] | None:
    """Rows among which all are that are found, where something is asked for that few devices are."""
    own, in_order = devices.c.product_id == product_id, (devices.c.device_id, devices.c.id)
    queries = []
    if wanted.customer_id is not None:
        queries.append(select(devices.c.id).where(devices.c.customer_id == wanted.customer_id))
    if wanted.groups:
        named = select(groups.c.id).where(groups.c.product_id == product_id, groups.c.name.in_(wanted.groups))
        queries.append(select(group_devices.c.device_row).where(group_devices.c.group_id.in_(named)).distinct())
    # In the order of their indexes, which SQLite would not see else.
    if wanted.is_locked:
        queries.append(select(devices.c.id).where(own, devices.c.locked_version.is_not(None)).order_by(*in_order))
    if wanted.development:
        queries.append(select(devices.c.id).where(own, devices.c.development.is_(True)).order_by(*in_order))
    heard = [presence.c.product_id == product_id]
    if wanted.online_at_ms is not None:
        heard.append(presence.c.online_until_ms > wanted.online_at_ms)
    if wanted.offline_at_ms is not None:
        heard.append(presence.c.online_until_ms <= wanted.offline_at_ms)
    if wanted.heard_from_ms is not None:
        heard.append(presence.c.last_seen_ms >= wanted.heard_from_ms)
    if wanted.heard_until_ms is not None:
        heard.append(presence.c.last_seen_ms < wanted.heard_until_ms)
    # One range: more would have the others' rows read.
    if len(heard) == 2:
        queries.append(select(presence.c.device_row).where(*heard))
    for query in queries:
        rows = list(connection.execute(query.limit(FEW_MAX + 1)).scalars())
        if len(rows) <= FEW_MAX:
            return rows
    return None


def _look(
    connection: Connection,
    product_id: int,
    wanted: Search,
    after: int,
    rows_max: int,
    enough: Enough,
    until: int | None = None,
) -> Looked:
    where = search.conditions(connection, product_id, replace(wanted, looks_ahead=False))
    return walk.look(connection, product_id, where, after, rows_max, enough, until)


def _part(connection: Connection, product_id: int, wanted: Search, looked: Looked) -> Found:
    """As many as a page has of those that were found; the next page goes on behind them."""
    shown = looked.rows[: wanted.per_page]
    if len(shown) < len(looked.rows):
        # Those behind are found again.
        first = looked.after
        unseen = walk.count_to(connection, product_id, shown[-1] + 1, first)
        looked = replace(looked, rows=shown, after=shown[-1], devices=looked.devices - unseen, is_done=False)
    page = _among(Search(per_page=wanted.per_page), shown)
    rows, _ = search.of_product(connection, product_id, page)
    return Found(rows, len(shown), looked=looked)


def _among(wanted: Search, rows: Sequence[int]) -> Search:
    return replace(wanted, looks_ahead=False, rows=rows)
