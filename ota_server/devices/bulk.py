# SPDX-License-Identifier: Apache-2.0
"""One change to many devices: which of them it concerns, doing it, and how to take it back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import ColumnElement, Connection, func, not_, select

from ota_server.devices import groups, removal, service, store
from ota_server.devices.models import Device, DeviceStatus, devices, group_devices
from ota_server.devices.models import groups as groups_table
from ota_server.products.models import Product

DEVICES_MAX = 10_000
"""That one change is for."""
AT_ONCE = 200
"""Devices whose change is one commit: others write between."""

_ASKED_AT_ONCE = 1000
_TRUSTED = devices.c.status.in_((DeviceStatus.EXPECTED, DeviceStatus.ACTIVE))


class Verb(StrEnum):
    """What may be done to many devices."""

    APPROVE = "approve"
    DENY = "deny"
    REMOVE = "remove"
    JOIN = "join"
    """Come into a group."""
    LEAVE = "leave"
    LOCK = "lock"
    """Stay on a version."""
    UNLOCK = "unlock"
    DEVELOP = "develop"
    """Be marked for development."""
    END_DEVELOPMENT = "end-development"


_INVERSE = {
    Verb.JOIN: Verb.LEAVE,
    Verb.LEAVE: Verb.JOIN,
    Verb.LOCK: Verb.UNLOCK,
    Verb.DEVELOP: Verb.END_DEVELOPMENT,
    Verb.END_DEVELOPMENT: Verb.DEVELOP,
}


@dataclass(frozen=True, slots=True)
class Change:
    """One change. `group`, `version`: for the verbs that need them."""

    verb: Verb
    group: str = ""
    version: int = 0

    def inverse(self, locked: Sequence[int | None] = ()) -> Change | None:
        """What takes it back, where that is one change. `locked`: what the devices were locked to before."""
        if self.verb is Verb.UNLOCK:
            (version, *others) = set(locked) or {None}
            return None if others or version is None else Change(Verb.LOCK, version=version)
        found = _INVERSE.get(self.verb)
        return None if found is None else Change(found, self.group)


def concerned(connection: Connection, product_id: int, change: Change, rows: Sequence[int]) -> list[int]:
    """Those of some rows that a change is for: it would leave the others as they are, or must not be done to them."""
    where = (devices.c.product_id == product_id, _concerns(product_id, change))
    found: set[int] = set()
    for some in pieces(rows, _ASKED_AT_ONCE):
        found.update(connection.execute(select(devices.c.id).where(devices.c.id.in_(some), *where)).scalars())
    return [row for row in rows if row in found]


def locks(connection: Connection, product_id: int, rows: Sequence[int]) -> Mapping[int | None, int]:
    """What devices are locked to, and how many to each."""
    found: dict[int | None, int] = {}
    for some in pieces(rows, _ASKED_AT_ONCE):
        where = (devices.c.product_id == product_id, devices.c.id.in_(some))
        counted = select(devices.c.locked_version, func.count()).where(*where).group_by(devices.c.locked_version)
        for version, count in connection.execute(counted):
            found[version] = found.get(version, 0) + count
    return found


def apply(
    connection: Connection, product: Product, change: Change, rows: Sequence[int], by: str, now_ms: int
) -> list[int]:
    """Changes at most AT_ONCE devices, those that it concerns by now; returns which. Raises Invalid, Conflict."""
    assert len(rows) <= AT_ONCE
    changed = concerned(connection, product.id, change, rows)
    for row in changed:
        device = store.by_row(connection, row)
        assert device is not None
        _apply_to(connection, product, change, device, by, now_ms)
    return changed


def _apply_to(connection: Connection, product: Product, change: Change, device: Device, by: str, now_ms: int) -> None:
    device_id = device.device_id
    match change.verb:
        case Verb.APPROVE:
            service.approve(connection, product, device_id, None, by, now_ms)
        case Verb.DENY:
            service.deny_row(connection, device, by, now_ms)
        case Verb.REMOVE:
            removal.remove(connection, product, device_id, by, now_ms)
        case Verb.JOIN:
            groups.change_groups(connection, product, [device_id], [change.group], [], by, now_ms)
        case Verb.LEAVE:
            groups.change_groups(connection, product, [device_id], [], [change.group], by, now_ms)
        case Verb.LOCK:
            service.set_facts(connection, product, device_id, {"locked_version": change.version}, by, now_ms)
        case Verb.UNLOCK:
            service.set_facts(connection, product, device_id, {"locked_version": None}, by, now_ms)
        case Verb.DEVELOP:
            service.set_facts(connection, product, device_id, {"development": True}, by, now_ms)
        case Verb.END_DEVELOPMENT:
            service.set_facts(connection, product, device_id, {"development": False}, by, now_ms)


def _concerns(product_id: int, change: Change) -> ColumnElement[bool]:
    """The rows that a change is for. Of several rows of one id only a trusted one is named by it."""
    match change.verb:
        case Verb.APPROVE:
            # Where another key has the id as well, somebody compares fingerprints.
            other = devices.alias()
            is_claimed = (
                select(other.c.id)
                .where(other.c.device_id == devices.c.device_id, other.c.id != devices.c.id)
                .where(other.c.product_id.is_not(None), other.c.status != DeviceStatus.DENIED)
                .exists()
            )
            return (devices.c.status == DeviceStatus.QUARANTINED) & not_(is_claimed)
        case Verb.DENY:
            return devices.c.status != DeviceStatus.DENIED
        case Verb.REMOVE:
            return devices.c.product_id == product_id
        case Verb.JOIN:
            return _TRUSTED & not_(_is_in(product_id, change.group))
        case Verb.LEAVE:
            return _TRUSTED & _is_in(product_id, change.group)
        case Verb.LOCK:
            # Those that are locked to another version keep it: so unlocking takes this back.
            return _TRUSTED & devices.c.locked_version.is_(None)
        case Verb.UNLOCK:
            return _TRUSTED & devices.c.locked_version.is_not(None)
        case Verb.DEVELOP:
            return _TRUSTED & devices.c.development.is_(False)
        case Verb.END_DEVELOPMENT:
            return _TRUSTED & devices.c.development.is_(True)


def _is_in(product_id: int, group: str) -> ColumnElement[bool]:
    named = select(groups_table.c.id).where(groups_table.c.product_id == product_id, groups_table.c.name == group)
    return devices.c.id.in_(select(group_devices.c.device_row).where(group_devices.c.group_id.in_(named)))


def pieces(rows: Sequence[int], size: int) -> Iterator[Sequence[int]]:
    """Some rows at a time."""
    return (rows[start : start + size] for start in range(0, len(rows), size))
