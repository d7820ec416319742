# SPDX-License-Identifier: Apache-2.0
"""Lists of a product's devices: filtered, sorted, a page at a time. Each order has an index."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from enum import StrEnum

from sqlalchemy import ColumnElement, Connection, and_, func, or_, select

from ota_server.devices.models import Device, DeviceStatus, devices, group_devices, groups

_COLUMNS = [devices.c[field.name] for field in fields(Device)]


class Order(StrEnum):
    """What a list is sorted by, in the words of Particle's API."""

    ID = "deviceId"
    NAME = "deviceName"
    LAST_HEARD = "lastConnection"
    VERSION = "firmwareVersion"


_BY = {
    Order.ID: devices.c.device_id,
    Order.NAME: devices.c.name,
    Order.LAST_HEARD: devices.c.last_seen_ms,
    Order.VERSION: devices.c.product_version,
}


@dataclass(frozen=True, slots=True)
class Search:
    """Which devices, and in which order. What is empty or None does not filter.

    Attributes:
        device_id: part of the id.
        name: part of the name; letters of any case.
        groups: in any of these groups.
        page: from 1.
    """

    device_id: str = ""
    name: str = ""
    groups: Sequence[str] = ()
    status: DeviceStatus | None = None
    version: int | None = None
    order: Order = Order.ID
    descending: bool = False
    page: int = 1
    per_page: int = 25


def of_product(connection: Connection, product_id: int, search: Search) -> tuple[list[Device], int]:
    """One page of a product's devices, and how many there are on all pages."""
    where = _where(product_id, search)
    total = connection.execute(select(func.count()).select_from(devices).where(*where)).scalar_one()
    column = _BY[search.order]
    order = (column.desc(), devices.c.id.desc()) if search.descending else (column, devices.c.id)
    # Found by the narrow index first: a row is wide, and those before the page are only counted.
    page = (
        select(devices.c.id)
        .where(*where)
        .order_by(*order)
        .limit(search.per_page)
        .offset((search.page - 1) * search.per_page)
    )
    rows = connection.execute(select(*_COLUMNS).where(devices.c.id.in_(page)).order_by(*order))
    return [Device(*row) for row in rows], total


def next_of_product(connection: Connection, product_id: int, search: Search, last: Device | None) -> list[Device]:
    """The next `per_page` devices behind `last`, by id: a whole list in pieces, each as fast as the first."""
    where = _where(product_id, search)
    if last is not None:
        same = and_(devices.c.device_id == last.device_id, devices.c.id > last.id)
        where.append(or_(devices.c.device_id > last.device_id, same))
    query = select(*_COLUMNS).where(*where).order_by(devices.c.device_id, devices.c.id).limit(search.per_page)
    return [Device(*row) for row in connection.execute(query)]


def _where(product_id: int, search: Search) -> list[ColumnElement[bool]]:
    where: list[ColumnElement[bool]] = [devices.c.product_id == product_id]
    if search.device_id:
        where.append(devices.c.device_id.contains(search.device_id.lower(), autoescape=True))
    if search.name:
        # Looked for in the index of names alone: the rows of those that have another name are not read.
        named = devices.alias("named")
        matches = named.c.name.icontains(search.name, autoescape=True)
        where.append(devices.c.id.in_(select(named.c.id).where(named.c.product_id == product_id, matches)))
    if search.groups:
        wanted = select(groups.c.id).where(groups.c.product_id == product_id, groups.c.name.in_(search.groups))
        where.append(devices.c.id.in_(select(group_devices.c.device_row).where(group_devices.c.group_id.in_(wanted))))
    if search.status is not None:
        where.append(devices.c.status == search.status)
    if search.version is not None:
        where.append(devices.c.product_version == search.version)
    return where
