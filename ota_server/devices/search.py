# SPDX-License-Identifier: Apache-2.0
"""Lists of a product's devices: filtered, sorted, a page at a time. Each order has an index."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
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
        groups: in any of these groups.
        tag: has this tag.
        page: from 1.
    """

    device_id: str = ""
    name: str = ""
    groups: Sequence[str] = ()
    tag: str = ""
    country: str = ""
    status: DeviceStatus | None = None
    version: int | None = None
    order: Order = Order.ID
    descending: bool = False
    page: int = 1
    per_page: int = 25


def of_product(connection: Connection, product_id: int, search: Search) -> tuple[list[Device], int]:
    """One page of a product's devices, and how many there are on all pages."""
    where = _where(connection, product_id, search)
    total = connection.execute(select(func.count()).select_from(devices).where(*where)).scalar_one()
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


def _directed(column: Column[Any], descending: bool) -> ColumnElement[Any]:
    """What is not known yet is the least: the databases' own ways differ."""
    directed = column.desc() if descending else column.asc()
    if not column.nullable:
        return directed
    return directed.nulls_last() if descending else directed.nulls_first()


def _where(connection: Connection, product_id: int, search: Search) -> list[ColumnElement[bool]]:
    where: list[ColumnElement[bool]] = [devices.c.product_id == product_id]
    if search.status is not None:
        where.append(devices.c.status == search.status)
    if search.version is not None:
        where.append(devices.c.product_version == search.version)
    if search.tag:
        where.append(has_tag(search.tag))
    if search.country:
        where.append(devices.c.country == search.country)
    parts = []
    if search.device_id:
        parts.append(devices.c.device_id.contains(search.device_id.lower(), autoescape=True))
    if search.name:
        parts.append(has_part(connection, devices.c.name, search.name))
    if search.groups:
        wanted = select(groups.c.id).where(groups.c.product_id == product_id, groups.c.name.in_(search.groups))
        where.append(devices.c.id.in_(select(group_devices.c.device_row).where(group_devices.c.group_id.in_(wanted))))
    elif parts:
        # The index of ids or names is read once, and the rows of those that have another one are not. Where many
        # have it, some are soon found in any order.
        few = select(devices.c.id).where(devices.c.product_id == product_id, parts[-1]).limit(FEW_MAX + 1)
        found = connection.execute(few).scalars().all()
        if len(found) <= FEW_MAX:
            parts[-1] = devices.c.id.in_(found)
    return where + parts
