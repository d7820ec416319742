# SPDX-License-Identifier: Apache-2.0
"""Groups of a product's devices: rules and SQL."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import fields

from sqlalchemy import Connection, delete, func, insert, select, update

from ota_server.devices import service
from ota_server.devices.models import Group, group_devices, groups
from ota_server.errors import Conflict, Invalid, NotFound
from ota_server.products.models import Product
from ota_server.products.store import plan_changed
from ota_server.telemetry import store as telemetry
from ota_server.telemetry.models import HistoryKind

GROUPS_MAX = 1000
"""Of a product."""
DESCRIPTION_MAX = 1000

_NAME = re.compile(r"[a-z0-9_-]{1,64}")
_COLUMNS = tuple(groups.c[field.name] for field in fields(Group))


def of_product(connection: Connection, product: Product, part: str = "") -> list[tuple[Group, int]]:
    """Groups whose names have `part` in them, by name, with how many devices each has."""
    rows = connection.execute(
        select(*_COLUMNS, func.count(group_devices.c.device_row))
        .outerjoin(group_devices, group_devices.c.group_id == groups.c.id)
        .where(groups.c.product_id == product.id, groups.c.name.contains(part.lower(), autoescape=True))
        .group_by(*_COLUMNS)
        .order_by(groups.c.name)
    )
    return [(Group(*row[:-1]), row[-1]) for row in rows]


def names(connection: Connection, product: Product) -> list[str]:
    """Of all groups, without counting their devices."""
    query = select(groups.c.name).where(groups.c.product_id == product.id).order_by(groups.c.name)
    return list(connection.execute(query).scalars())


def find(connection: Connection, product: Product, name: str) -> Group:
    """Raises NotFound."""
    row = connection.execute(select(*_COLUMNS).where(groups.c.product_id == product.id, groups.c.name == name)).first()
    if row is None:
        raise NotFound(f"product {product.id} has no group {name}")
    return Group(*row)


def exists(connection: Connection, product_id: int, name: str) -> bool:
    where = (groups.c.product_id == product_id, groups.c.name == name)
    return connection.execute(select(groups.c.id).where(*where)).first() is not None


def create(connection: Connection, product: Product, name: str, description: str = "", color: str = "") -> Group:
    """Raises Invalid; Conflict when there is one already, or there are too many."""
    _check(name, description, color)
    names = {group.name for group, _ in of_product(connection, product)}
    if name in names:
        raise Conflict(f"there is a group {name} already")
    if len(names) >= GROUPS_MAX:
        raise Conflict(f"a product has at most {GROUPS_MAX} groups")
    connection.execute(insert(groups).values(product_id=product.id, name=name, description=description, color=color))
    return find(connection, product, name)


def change(connection: Connection, product: Product, name: str, changes: Mapping[str, str]) -> Group:
    """Sets name, description or color. Raises NotFound, Invalid, Conflict."""
    group = find(connection, product, name)
    after = {"name": group.name, "description": group.description, "color": group.color, **changes}
    _check(after["name"], after["description"], after["color"])
    others = {other.name for other, _ in of_product(connection, product)} - {group.name}
    if after["name"] in others:
        raise Conflict(f"there is a group {after['name']} already")
    connection.execute(update(groups).where(groups.c.id == group.id).values(**after))
    plan_changed(connection, product.id)
    return find(connection, product, after["name"])


def remove(connection: Connection, product: Product, name: str) -> None:
    """Its devices stay. Raises NotFound."""
    group = find(connection, product, name)
    connection.execute(delete(group_devices).where(group_devices.c.group_id == group.id))
    connection.execute(delete(groups).where(groups.c.id == group.id))
    plan_changed(connection, product.id)


def released(connection: Connection, product_id: int) -> dict[str, int]:
    """Versions that are released to groups, by the group's name."""
    rows = connection.execute(
        select(groups.c.name, groups.c.released_version).where(
            groups.c.product_id == product_id, groups.c.released_version.is_not(None)
        )
    )
    return {row.name: row.released_version for row in rows}


def set_released(connection: Connection, product: Product, version: int, names: Collection[str]) -> None:
    """Releases a version to these groups, and to no others any more. Raises NotFound."""
    wanted = [find(connection, product, name).id for name in dict.fromkeys(names)]
    of_version = (groups.c.product_id == product.id, groups.c.released_version == version)
    connection.execute(update(groups).where(*of_version).values(released_version=None))
    connection.execute(update(groups).where(groups.c.id.in_(wanted)).values(released_version=version))
    plan_changed(connection, product.id)


def replace_released(connection: Connection, product_id: int, before: int, after: int) -> None:
    """Releases another version to the groups that have this one."""
    connection.execute(
        update(groups)
        .where(groups.c.product_id == product_id, groups.c.released_version == before)
        .values(released_version=after)
    )


def of_devices(connection: Connection, device_rows: Collection[int]) -> dict[int, list[str]]:
    """Names of the groups that devices are in, by the device's row."""
    found: dict[int, list[str]] = {}
    rows = connection.execute(
        select(group_devices.c.device_row, groups.c.name)
        .join(groups, groups.c.id == group_devices.c.group_id)
        .where(group_devices.c.device_row.in_(device_rows))
        .order_by(groups.c.name)
    )
    for row, name in rows:
        found.setdefault(row, []).append(name)
    return found


def set_groups(
    connection: Connection, product: Product, device_id: str, names: Sequence[str], by: str, now_ms: int
) -> None:
    """Puts a device into these groups and no others; those that are not there yet are made. Raises as `create`."""
    device = service.find(connection, product, device_id)
    wanted = [_found_or_made(connection, product, name) for name in dict.fromkeys(names)]
    connection.execute(delete(group_devices).where(group_devices.c.device_row == device.id))
    if wanted:
        values = [{"group_id": group.id, "device_row": device.id} for group in wanted]
        connection.execute(insert(group_devices), values)
    text = ", ".join(sorted(group.name for group in wanted)) or "none"
    telemetry.add_history(connection, device.id, now_ms, HistoryKind.CHANGED, f"{by} set groups = {text}.")


def change_groups(
    connection: Connection,
    product: Product,
    device_ids: Sequence[str],
    add: Sequence[str],
    take: Sequence[str],
    by: str,
    now_ms: int,
) -> None:
    """Adds groups to devices and takes others away. Raises as `set_groups`; then nothing is changed."""
    for device_id in device_ids:
        device = service.find(connection, product, device_id)
        before = of_devices(connection, [device.id]).get(device.id, [])
        after = [name for name in dict.fromkeys([*before, *add]) if name not in take]
        if after != before:
            set_groups(connection, product, device_id, after, by, now_ms)


def _found_or_made(connection: Connection, product: Product, name: str) -> Group:
    try:
        return find(connection, product, name)
    except NotFound:
        return create(connection, product, name)


def check_name(name: str, field: str) -> None:
    """Raises Invalid."""
    if not _NAME.fullmatch(name):
        raise Invalid("a group's name has 1 to 64 lower-case letters, digits, _ and -", field)


def _check(name: str, description: str, color: str) -> None:
    check_name(name, "name")
    if len(description) > DESCRIPTION_MAX:
        raise Invalid(f"a description has at most {DESCRIPTION_MAX} characters", "description")
    if color and not re.fullmatch(r"#[0-9a-fA-F]{6}", color):
        raise Invalid("a color is # and six hexadecimal digits", "color")
