# SPDX-License-Identifier: Apache-2.0
"""Rules for limits. They are checked after what was done, in its transaction: beyond one, all of it is taken back."""

from __future__ import annotations

from dataclasses import asdict, fields

from sqlalchemy import Connection

from ota_server.errors import LimitReached
from ota_server.usage import store
from ota_server.usage.models import Limits

DAY_MS = 24 * 3600 * 1000


def limits_for(connection: Connection, organization_id: int) -> Limits:
    """What rules for an organization: its own limits, and for the others those of all."""
    own, general = store.limits_of(connection, organization_id), store.limits_of(connection, None)
    values = {
        field.name: getattr(general, field.name) if getattr(own, field.name) is None else getattr(own, field.name)
        for field in fields(Limits)
    }
    return Limits(**values)


def change_limits(connection: Connection, organization_id: int | None, values: dict[str, int | None]) -> Limits:
    """Sets some limits; None lifts one."""
    changed = Limits(**{**asdict(store.limits_of(connection, organization_id)), **values})
    store.keep_limits(connection, organization_id, changed)
    return changed


def check_seats(connection: Connection, organization_id: int) -> None:
    """Raises LimitReached."""
    most = limits_for(connection, organization_id).seats
    if most is not None:
        _check(store.seats(connection, organization_id), most, "team members, invited ones included")


def check_devices(connection: Connection, organization_id: int) -> None:
    """Raises LimitReached."""
    most = limits_for(connection, organization_id).devices
    if most is not None:
        _check(store.devices_of(connection, organization_id), most, "devices")


def has_room_for_device(connection: Connection, organization_id: int) -> bool:
    """Whether one more may be trusted."""
    most = limits_for(connection, organization_id).devices
    return most is None or store.devices_of(connection, organization_id) < most


def check_storage(connection: Connection, organization_id: int) -> None:
    """Raises LimitReached."""
    most = limits_for(connection, organization_id).storage_bytes
    if most is not None:
        _check(store.storage_bytes(connection, organization_id), most, "bytes of storage")


def check_organizations(connection: Connection, account_id: int) -> None:
    """Raises LimitReached."""
    most = store.limits_of(connection, None).organizations
    if most is not None:
        _check(store.organizations_owned(connection, account_id), most, "organizations of one account")


def note_amounts(connection: Connection, now_ms: int) -> None:
    """Writes down what every organization has today."""
    for organization_id in store.every_organization(connection):
        found = store.amounts(connection, organization_id)
        store.set_amounts(connection, organization_id, now_ms // DAY_MS, found)


def _check(wanted: int, most: int, what: str) -> None:
    if wanted > most:
        raise LimitReached(
            f"this server's limit is {most} {what}, and this would make {wanted}: "
            "remove some, or ask whoever runs the server for more"
        )
