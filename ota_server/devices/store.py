# SPDX-License-Identifier: Apache-2.0
"""SQL for devices."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import (
    Column,
    Connection,
    Row,
    Select,
    Table,
    Update,
    bindparam,
    func,
    insert,
    join,
    or_,
    select,
    update,
)

from ota_server.devices.models import COLUMNS, NO_SESSION, Device, DeviceStatus, devices, presence, whole
from ota_server.products.models import products
from ota_server.storage.sql import any_of, any_values, update_each

_DEVICES = select(*COLUMNS).select_from(whole)
_BY_ROW = _DEVICES.where(devices.c.id == bindparam("row"))
_WITH_ID = _DEVICES.where(devices.c.device_id == bindparam("id"), devices.c.product_id.is_not(None)).order_by(
    devices.c.id
)
_BY_SESSION = _DEVICES.where(
    or_(devices.c.session_id == bindparam("session"), devices.c.pending_id == bindparam("session"))
)

ROUTINE = ("uptime_s", "health", "habit", "last_seen_ms", "online_until_ms")
"""Columns of `presence` that any message may change; most change no others."""
_PRESENCE = frozenset(presence.c.keys()) - {"device_row"}


def by_sessions(connection: Connection, session_ids: Collection[bytes]) -> dict[bytes, Device]:
    """Devices by their current sessions."""
    dialect = connection.dialect.name
    rows = connection.execute(_by_sessions(dialect), {"any": any_values(dialect, session_ids)})
    return {device.session_id: device for device in map(Device._make, rows) if device.session_id is not None}


@lru_cache
def _by_sessions(dialect: str) -> Select[*tuple[Any, ...]]:
    return _DEVICES.where(any_of(dialect, devices.c.session_id))


def by_session(connection: Connection, session_id: bytes) -> Device | None:
    """The device whose current or pending session this is."""
    return _one(connection.execute(_BY_SESSION, {"session": session_id}).first())


def by_row(connection: Connection, row_id: int) -> Device | None:
    return _one(connection.execute(_BY_ROW, {"row": row_id}).first())


def page_by_row(connection: Connection, product_id: int, after: int, limit: int) -> list[Device]:
    """A product's devices whose rows come after one."""
    where = (devices.c.product_id == product_id, devices.c.id > after)
    rows = connection.execute(_DEVICES.where(*where).order_by(devices.c.id).limit(limit))
    return [Device(*row) for row in rows]


def with_id(connection: Connection, device_id: str) -> list[Device]:
    """Every row of a device id: at most one that is not quarantined or denied, and its claimants. No removed ones."""
    rows = connection.execute(_WITH_ID, {"id": device_id})
    return [Device(*row) for row in rows]


def with_key(connection: Connection, public_key: bytes) -> list[Device]:
    """Every row of a key, under whatever device id."""
    rows = connection.execute(_DEVICES.where(devices.c.public_key == public_key).order_by(devices.c.id))
    return [Device(*row) for row in rows]


def of_customers(connection: Connection, customer_ids: Collection[int]) -> list[Device]:
    """What customers own, by id. Denied devices are nobody's to use."""
    rows = connection.execute(
        _DEVICES.where(devices.c.customer_id.in_(customer_ids), devices.c.status != DeviceStatus.DENIED).order_by(
            devices.c.device_id, devices.c.id
        )
    )
    return [Device(*row) for row in rows]


def with_serial_number(connection: Connection, product_ids: Collection[int], serial_number: str) -> Device | None:
    """The device of a serial number, in any of these products."""
    where = (devices.c.product_id.in_(product_ids), devices.c.serial_number == serial_number)
    return _one(connection.execute(_DEVICES.where(*where).order_by(devices.c.id)).first())


def add(connection: Connection, values: Mapping[str, object]) -> int:
    """Adds a row and returns its number. Attempts are numbered on from those of a removed device of this id."""
    last = select(func.coalesce(func.max(devices.c.attempt_counter), 0)).where(
        devices.c.device_id == values["device_id"], devices.c.product_id.is_(None)
    )
    result = connection.execute(insert(devices).values(attempt_counter=last.scalar_subquery(), **_of(devices, values)))
    key = result.inserted_primary_key
    assert key is not None
    row_id = int(key[0])
    connection.execute(insert(presence).values(device_row=row_id, **_of(presence, values)))
    return row_id


def change(connection: Connection, row_id: int, values: Mapping[str, object]) -> None:
    """Sets columns of a device, in whichever of the tables they are."""
    for table, key in ((devices, devices.c.id), (presence, presence.c.device_row)):
        if own := _of(table, values):
            facts = {f"set_{name}": value for name, value in own.items()}
            connection.execute(_update(table, key, frozenset(own)), {"row": row_id, **facts})


def count_message(connection: Connection, device: Device, counter: int, values: Mapping[str, object]) -> bool:
    """Writes what a message of a session changes, if its counter is above the last one; False changes nothing.

    The device was read in this transaction: the session is its current one.
    """
    own = values.keys() & _PRESENCE | {"session_counter"}
    facts = {f"set_{name}": value for name, value in {**values, "session_counter": counter}.items() if name in own}
    statement = _message_update(frozenset(own))
    result = connection.execute(statement, {"row": device.id, "counter": counter, **facts})
    if result.rowcount != 1:
        return False
    others = {name: value for name, value in values.items() if name not in own}
    if others:
        change(connection, device.id, others)
    return True


def count_messages(connection: Connection, messages: Sequence[tuple[Device, int, Mapping[str, object]]]) -> bool:
    """The same for messages (device, counter, values) of devices apart, that change ROUTINE columns; False: not all."""
    rows = [
        (device.id, counter, *[values[name] if name in values else getattr(device, name) for name in ROUTINE])
        for device, counter, values in messages
    ]
    return update_each(connection, presence, "session_counter", ROUTINE, rows) == len(rows)


@lru_cache(maxsize=256)
def _message_update(names: frozenset[str]) -> Update:
    """The statement that counts a message which changes these columns."""
    is_higher = presence.c.session_counter < bindparam("counter")
    return _update(presence, presence.c.device_row, names).where(is_higher)


@lru_cache(maxsize=256)
def _update(table: Table, key: Column[int], names: frozenset[str]) -> Update:
    """The statement that sets these columns of a row. Building it takes longer than running it."""
    return (
        update(table).where(key == bindparam("row")).values({name: bindparam(f"set_{name}") for name in sorted(names)})
    )


def drop_sessions(connection: Connection, attempts_skipped: int) -> None:
    """Ends every session, and skips attempt numbers that devices may have seen after a backup was made."""
    skipped = {"attempt_counter": devices.c.attempt_counter + attempts_skipped}
    connection.execute(update(devices).values(**_of(devices, NO_SESSION), **skipped))
    connection.execute(update(presence).values(**_of(presence, NO_SESSION)))


def count_quarantined(connection: Connection, product_id: int) -> int:
    return connection.execute(
        select(func.count())
        .select_from(devices)
        .where(devices.c.product_id == product_id, devices.c.status == DeviceStatus.QUARANTINED)
    ).scalar_one()


def count_active(connection: Connection, product_id: int) -> int:
    return connection.execute(
        select(func.count())
        .select_from(devices)
        .where(devices.c.product_id == product_id, devices.c.status == DeviceStatus.ACTIVE)
    ).scalar_one()


def count_online(connection: Connection, product_id: int, now_ms: int) -> int:
    """Active devices that are online: all that are, read in the index alone, but for those few that are not active."""
    is_online = presence.c.online_until_ms > now_ms
    others = select(devices.c.id).where(
        devices.c.product_id == product_id,
        devices.c.status.in_((DeviceStatus.QUARANTINED, DeviceStatus.DENIED)),
    )
    every, not_active = (
        connection.execute(select(func.count()).select_from(presence).where(where, is_online)).scalar_one()
        for where in (presence.c.product_id == product_id, presence.c.device_row.in_(others))
    )
    return every - not_active


def count_all_online(connection: Connection, now_ms: int) -> int:
    """Of all products, quarantined ones too."""
    query = select(func.count()).select_from(join(products, presence))
    return connection.execute(query.where(presence.c.online_until_ms > now_ms)).scalar_one()


def runs_any(connection: Connection, product_id: int, identities: Collection[bytes]) -> bool:
    """Whether a trusted device runs one of these images (first 8 bytes of their identities), confirmed."""
    query = select(devices.c.id).where(
        devices.c.product_id == product_id,
        devices.c.status == DeviceStatus.ACTIVE,
        devices.c.boot_state == 0,
        devices.c.identity.in_(identities),
    )
    return connection.execute(query.limit(1)).first() is not None


def has_version(connection: Connection, product_id: int, version: int) -> bool:
    """Whether a device runs a version, or is locked to it."""
    either = or_(devices.c.product_version == version, devices.c.locked_version == version)
    query = select(devices.c.id).where(devices.c.product_id == product_id, either).limit(1)
    return connection.execute(query).first() is not None


def count_with_version(connection: Connection, product_id: int, version: int) -> tuple[int, int]:
    """How many devices run a version, and how many are locked to it."""
    found = [
        connection.execute(
            select(func.count()).select_from(devices).where(devices.c.product_id == product_id, column == version)
        ).scalar_one()
        for column in (devices.c.product_version, devices.c.locked_version)
    ]
    return found[0], found[1]


def versions(connection: Connection, product_id: int) -> list[tuple[int | None, int | None, int]]:
    """(version, platform id, number of active devices), newest version first."""
    rows = connection.execute(
        select(devices.c.product_version, devices.c.platform_id, func.count())
        .where(devices.c.product_id == product_id, devices.c.status == DeviceStatus.ACTIVE)
        .group_by(devices.c.product_version, devices.c.platform_id)
        .order_by(devices.c.product_version.desc().nulls_last(), devices.c.platform_id)
    )
    return [(version, platform, count) for version, platform, count in rows]


def _of(table: Table, values: Mapping[str, object]) -> dict[str, object]:
    """Those that are columns of a table; of `devices` and `presence` each has its own, and both have the product."""
    return {name: value for name, value in values.items() if name in table.c}


def _one(row: Row[tuple[object, ...]] | None) -> Device | None:
    return None if row is None else Device(*row)  # type: ignore[call-arg,arg-type]  # columns in the order of the fields
