# SPDX-License-Identifier: Apache-2.0
"""Lists of a product's devices: filtered, sorted, a page at a time. Each order has an index."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from sqlalchemy import Column, ColumnElement, Connection, Select, and_, func, or_, select

from ota_server.devices.labels import has_tag
from ota_server.devices.models import (
    COLUMNS,
    Device,
    DeviceStatus,
    devices,
    group_devices,
    groups,
    presence,
    whole,
)
from ota_server.storage.sql import has_part

FEW_MAX = 2000
"""Devices that are found by a part of their id or name are named in a query, up to so many."""


class Order(StrEnum):
    """What a list is sorted by, in the words of Particle's API."""

    ID = "deviceId"
    NAME = "deviceName"
    LAST_HEARD = "lastConnection"
    VERSION = "firmwareVersion"


_BY = {
    Order.ID: (devices.c.device_id, devices.c.id),
    Order.NAME: (devices.c.name, devices.c.id),
    Order.LAST_HEARD: (presence.c.last_seen_ms, presence.c.device_row),
    Order.VERSION: (devices.c.product_version, devices.c.device_id, devices.c.id),
}
"""Columns of the indexes that begin with the product."""


@dataclass(frozen=True, slots=True)
class Search:
    """Which devices, and in which order. What is empty or None does not filter.

    Attributes:
        device_id: part of the id.
        name: part of the name; letters of any case.
        text: part of the one or the other.
        groups: in any of these groups.
        tag: has this tag.
        online_at_ms, offline_at_ms: trusted, and online then or not.
        customer_id: owned by this one.
        heard_from_ms, heard_until_ms: heard last in this time; `heard_until_ms` itself is left out.
        also: what else must hold of the rows.
        looks_ahead: whether the index of ids or names is read first, for those that have a part.
        rows: among these.
        page: from 1.
    """

    device_id: str = ""
    name: str = ""
    text: str = ""
    groups: Sequence[str] = ()
    tag: str = ""
    country: str = ""
    status: DeviceStatus | None = None
    version: int | None = None
    platform_id: int | None = None
    online_at_ms: int | None = None
    offline_at_ms: int | None = None
    development: bool | None = None
    is_locked: bool | None = None
    customer_id: int | None = None
    heard_from_ms: int | None = None
    heard_until_ms: int | None = None
    also: Sequence[ColumnElement[bool]] = ()
    looks_ahead: bool = True
    rows: Sequence[int] | None = None
    order: Order = Order.ID
    descending: bool = False
    page: int = 1
    per_page: int = 25


def of_product(
    connection: Connection, product_id: int, search: Search, count_max: int | None = None
) -> tuple[list[Device], int]:
    """One page of a product's devices, and how many there are on all pages.

    `count_max`: no more are counted.
    """
    where = _where(connection, product_id, search)
    counted = select(devices.c.id).where(*where)
    if count_max is not None:
        counted = counted.limit(count_max)
    total = connection.execute(select(func.count()).select_from(counted.subquery())).scalar_one()
    offset = (search.page - 1) * search.per_page
    if offset >= total:
        return [], total
    order = [_directed(column, search.descending) for column in _BY[search.order]]
    # Found by the narrow index first: a row is wide, and those before the page are only counted.
    page = _rows(product_id, search, where).order_by(*order).limit(search.per_page).offset(offset)
    rows = connection.execute(select(*COLUMNS).select_from(whole).where(devices.c.id.in_(page)).order_by(*order))
    return [Device(*row) for row in rows], total


def next_of_product(connection: Connection, product_id: int, search: Search, last: Device | None) -> list[Device]:
    """The next `per_page` devices behind `last`, by id: a whole list in pieces, each as fast as the first."""
    where = _where(connection, product_id, search)
    if last is not None:
        same = and_(devices.c.device_id == last.device_id, devices.c.id > last.id)
        where.append(or_(devices.c.device_id > last.device_id, same))
    query = select(*COLUMNS).select_from(whole).where(*where).order_by(devices.c.device_id, devices.c.id)
    return [Device(*row) for row in connection.execute(query.limit(search.per_page))]


def _rows(product_id: int, search: Search, where: Sequence[ColumnElement[bool]]) -> Select[int]:
    """Which rows are found; of a list by when devices were heard, in the table whose index has that order."""
    if search.order is not Order.LAST_HEARD:
        return select(devices.c.id).where(*where)
    found = select(presence.c.device_row).where(presence.c.product_id == product_id)
    # Where nothing else is asked, that table is enough.
    return found if len(where) == 1 else found.join(devices).where(*where)


def rows_of_product(connection: Connection, product_id: int, search: Search, limit: int) -> list[int]:
    """Rows of a product's devices by id, at most so many."""
    where = _where(connection, product_id, search)
    query = select(devices.c.id).where(*where).order_by(devices.c.device_id, devices.c.id).limit(limit)
    return list(connection.execute(query).scalars())


def conditions(connection: Connection, product_id: int, search: Search) -> list[ColumnElement[bool]]:
    """What holds of each row that is found, but for the product and `rows`."""
    return _where(connection, product_id, replace(search, rows=None))[1:]


def _directed(column: Column[Any], descending: bool) -> ColumnElement[Any]:
    """What is not known yet is the least: the databases' own ways differ."""
    directed = column.desc() if descending else column.asc()
    if not column.nullable:
        return directed
    return directed.nulls_last() if descending else directed.nulls_first()


def _where(connection: Connection, product_id: int, search: Search) -> list[ColumnElement[bool]]:
    where: list[ColumnElement[bool]] = [devices.c.product_id == product_id]
    if search.rows is not None:
        # The sum keeps SQLite from an index of the product's, which would be read from end to end.
        where = [devices.c.product_id + 0 == product_id, devices.c.id.in_(search.rows)]
    if search.status is not None:
        where.append(devices.c.status == search.status)
    if search.version is not None:
        where.append(devices.c.product_version == search.version)
    if search.tag:
        where.append(has_tag(search.tag))
    if search.country:
        where.append(devices.c.country == search.country)
    where += _state(search) + _presence(search)
    parts = [[_has_id(search.device_id)]] if search.device_id else []
    if search.name:
        parts.append([has_part(connection, devices.c.name, search.name)])
    if search.text:
        parts.append([_has_id(search.text), has_part(connection, devices.c.name, search.text)])
    if search.groups:
        wanted = select(groups.c.id).where(groups.c.product_id == product_id, groups.c.name.in_(search.groups))
        where.append(devices.c.id.in_(select(group_devices.c.device_row).where(group_devices.c.group_id.in_(wanted))))
    elif parts and search.looks_ahead:
        parts[-1] = _few(connection, product_id, parts[-1])
    return where + [or_(*ways) for ways in parts]


def _has_id(part: str) -> ColumnElement[bool]:
    return devices.c.device_id.contains(part.lower(), autoescape=True)


def _few(connection: Connection, product_id: int, ways: Sequence[ColumnElement[bool]]) -> list[ColumnElement[bool]]:
    """The rows that fulfil a condition or another one, where they are few.

    The index of ids or names is read once, and the rows of those that have another one are not. Where many have it,
    some are soon found in any order.
    """
    found: set[int] = set()
    for way in ways:
        few = select(devices.c.id).where(devices.c.product_id == product_id, way).limit(FEW_MAX + 1)
        rows = connection.execute(few).scalars().all()
        if len(rows) > FEW_MAX:
            return list(ways)
        found.update(rows)
    return [devices.c.id.in_(found)]


def _state(search: Search) -> list[ColumnElement[bool]]:
    """What a device is like now, and when it was heard."""
    where: list[ColumnElement[bool]] = list(search.also)
    if search.platform_id is not None:
        where.append(devices.c.platform_id == search.platform_id)
    if search.development is not None:
        where.append(devices.c.development.is_(search.development))
    if search.is_locked is not None:
        locked = devices.c.locked_version
        where.append(locked.is_not(None) if search.is_locked else locked.is_(None))
    if search.customer_id is not None:
        where.append(devices.c.customer_id == search.customer_id)
    return where


def _presence(search: Search) -> list[ColumnElement[bool]]:
    """When a device was heard, and whether it is online."""
    own = presence.alias()
    heard, until = own.c.last_seen_ms, own.c.online_until_ms
    asked: list[ColumnElement[bool]] = []
    if search.online_at_ms is not None:
        asked.append(until > search.online_at_ms)
    if search.offline_at_ms is not None:
        asked.append(until <= search.offline_at_ms)
    if search.heard_from_ms is not None:
        asked.append(heard >= search.heard_from_ms)
    if search.heard_until_ms is not None:
        asked.append(heard < search.heard_until_ms)
    if not asked:
        return []
    where: list[ColumnElement[bool]] = [
        select(own.c.device_row).where(own.c.device_row == devices.c.id, *asked).exists()
    ]
    if search.online_at_ms is not None or search.offline_at_ms is not None:
        where.append(devices.c.status == DeviceStatus.ACTIVE)
    return where
