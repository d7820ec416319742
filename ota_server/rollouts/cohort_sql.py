# SPDX-License-Identifier: Apache-2.0
"""Cohorts as conditions on rows of devices: the same devices as `Cohort.matches` says, found by the database."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Integer,
    and_,
    false,
    func,
    literal,
    not_,
    or_,
    select,
    true,
    type_coerce,
)

from muster.layout import PLATFORM_IDS, PlatformName
from ota_server.devices.labels import has_tag
from ota_server.devices.models import devices, group_devices, groups, presence
from ota_server.rollouts.attributes import DAY_MS, HEALTH, Value, health_key
from ota_server.rollouts.cohort import (
    Both,
    Cohort,
    Compare,
    Either,
    Everyone,
    InGroup,
    Listed,
    Operator,
    Outside,
    Share,
    share_limit,
)
from ota_server.storage.sql import json_number, salted_digest

Condition = ColumnElement[bool]

_COLUMNS: dict[str, ColumnElement[Any]] = {
    "version": devices.c.product_version,
    "hardware_revision": devices.c.hardware_revision,
    "security_counter": devices.c.security_counter,
    "bootloader_version": devices.c.bootloader_version,
    "country": devices.c.country,
    "serial_number": devices.c.serial_number,
    "customer": devices.c.customer_id,
}
# An alias: whoever asks may read the table itself, too.
_own = presence.alias()
_DAYS_MAX = 10**9
"""Nobody is known for so long, nor will be."""
_HEALTH = select(_own.c.health).where(_own.c.device_row == devices.c.id).scalar_subquery()


class Conditions:
    """Makes conditions for one product, one draw and one moment."""

    def __init__(self, connection: Connection, product_id: int, salt: bytes, now_ms: int) -> None:
        self._connection = connection
        self._product_id = product_id
        self._salt = salt
        self._now_ms = now_ms

    def of(self, cohort: Cohort) -> Condition:
        """The condition of a resolved cohort. It is never NULL: what is not known compares with nothing."""
        match cohort:
            case Everyone():
                return true()
            case Listed(device_ids):
                return devices.c.device_id.in_(sorted(device_ids))
            case InGroup(name):
                wanted = select(groups.c.id).where(groups.c.product_id == self._product_id, groups.c.name == name)
                members = select(group_devices.c.device_row).where(group_devices.c.group_id.in_(wanted))
                return devices.c.id.in_(members)
            case Share(percent):
                return self.is_within(Share.salted(self._salt), percent)
            case Compare():
                return func.coalesce(self._comparison(cohort), false())
            case Both(parts):
                return and_(*map(self.of, parts))
            case Either(parts):
                return or_(*map(self.of, parts))
            case Outside(part):
                return not_(self.of(part))
        raise AssertionError(f"no condition for {type(cohort).__name__}")

    def is_within(self, salt: bytes, percent: int) -> Condition:
        """Whether a device is among the first `percent` of a hundred."""
        limit = share_limit(percent)
        if limit is None:
            return true()
        digest = salted_digest(self._connection, salt, devices.c.device_id)
        return func.substr(digest, 1, len(limit)) < limit

    def _comparison(self, cohort: Compare) -> Condition:
        match cohort.field:
            case "platform":
                ids = [PLATFORM_IDS[PlatformName(str(value))] for value in cohort.values]
                return devices.c.platform_id.in_(ids)
            case "tag" if cohort.how is Operator.BEGINS_WITH:
                return (literal(" ") + devices.c.tags).contains(f" {cohort.values[0]}", autoescape=True)
            case "tag":
                return or_(*(has_tag(str(value)) for value in cohort.values))
            case "claimed":
                return devices.c.customer_id.is_not(None) == cohort.values[0]
            case "days_known":
                return self._days_known(cohort)
            case name if name.startswith(HEALTH):
                key = health_key(name)
                assert key is not None
                return _compared(json_number(self._connection, _HEALTH, str(key)), cohort)
            case name:
                return _compared(_COLUMNS[name], cohort)

    def _days_known(self, cohort: Compare) -> Condition:
        """Whole days, rounded down, are at least n when so many have gone by."""

        def at_least(days: Value) -> Condition:
            return devices.c.first_seen_ms <= self._now_ms - min(max(int(days), -_DAYS_MAX), _DAYS_MAX) * DAY_MS

        def exactly(days: Value) -> Condition:
            return and_(at_least(days), not_(at_least(int(days) + 1)))

        first = int(cohort.values[0])
        match cohort.how:
            case Operator.AT_LEAST:
                return at_least(first)
            case Operator.ABOVE:
                return at_least(first + 1)
            case Operator.AT_MOST:
                return not_(at_least(first + 1))
            case Operator.BELOW:
                return not_(at_least(first))
            case _:
                return or_(*map(exactly, cohort.values))


_TESTS: dict[Operator, Callable[[ColumnElement[Any], Any], Condition]] = {
    Operator.AT_LEAST: lambda column, value: column >= value,
    Operator.AT_MOST: lambda column, value: column <= value,
    Operator.ABOVE: lambda column, value: column > value,
    Operator.BELOW: lambda column, value: column < value,
    # LIKE does not look at the case on SQLite.
    Operator.BEGINS_WITH: lambda column, value: func.substr(column, 1, len(value)) == value,
}


def _compared(column: ColumnElement[Any], cohort: Compare) -> Condition:
    if isinstance(column.type, Integer):
        # PostgreSQL refuses to look for a number that the column itself could not hold.
        column = type_coerce(column, BigInteger)
    if cohort.how in (Operator.IS, Operator.ONE_OF):
        return column.in_(cohort.values)
    return _TESTS[cohort.how](column, cohort.values[0])
