# SPDX-License-Identifier: Apache-2.0
"""SQL for use and limits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import Any

from sqlalchemy import Connection, Select, delete, func, insert, select, true, update

from ota_server.devices.models import DeviceStatus, devices
from ota_server.figures import standing
from ota_server.organizations.models import invitations, members, organizations
from ota_server.products.models import products
from ota_server.releases.models import PatchStatus, images, patches
from ota_server.usage.meter import Counts
from ota_server.usage.models import Amounts, Day, Limits, limits, usage_days

"""How large the file of a digest is."""

COUNTED = (DeviceStatus.EXPECTED, DeviceStatus.ACTIVE)
_EVERYBODY = 0


# What there is now


def seats(connection: Connection, organization_id: int) -> int:
    """Team members and open invitations."""
    return sum(_count(connection, table.c.organization_id == organization_id) for table in (members, invitations))


def devices_of(connection: Connection, organization_id: int) -> int:
    """Trusted devices, seen or not."""
    own = select(products.c.id).where(products.c.organization_id == organization_id)
    return _count(connection, devices.c.product_id.in_(own) & devices.c.status.in_(COUNTED))


def storage_bytes(connection: Connection, organization_id: int) -> int:
    """Of images, ELF files and patches."""
    own = select(products.c.id).where(products.c.organization_id == organization_id)
    total = 0
    for table, is_kept in ((images, true()), (patches, patches.c.status == PatchStatus.READY)):
        query = select(func.coalesce(func.sum(table.c.size), 0)).where(table.c.product_id.in_(own), is_kept)
        total += int(connection.execute(query).scalar_one())
    elves = select(images.c.elf_blob, images.c.elf_size).where(images.c.product_id.in_(own)).distinct().subquery()
    return total + int(connection.execute(select(func.coalesce(func.sum(elves.c.elf_size), 0))).scalar_one())


def amounts(connection: Connection, organization_id: int) -> Amounts:
    """As of now. Takes long where there are many devices."""
    trusted = devices_of(connection, organization_id)
    return Amounts(seats(connection, organization_id), trusted, storage_bytes(connection, organization_id))


def likely_amounts(connection: Connection, organization_id: int, now_ms: int) -> tuple[Amounts, int | None]:
    """Without a look at many devices; and when those were counted, the longest ago: None for now."""
    own = select(products.c.id).where(products.c.organization_id == organization_id)
    stood = [standing.of_product(connection, one, now_ms) for one in connection.execute(own).scalars().all()]
    trusted = sum(one.count(lambda tally: tally.status in COUNTED) for one in stood)
    counted_ms = min((one.counted_ms for one in stood if one.counted_ms is not None), default=None)
    found = Amounts(seats(connection, organization_id), trusted, storage_bytes(connection, organization_id))
    return found, counted_ms


def organizations_owned(connection: Connection, account_id: int) -> int:
    return _count(connection, organizations.c.owner_id == account_id)


def every_organization(connection: Connection) -> list[int]:
    return list(connection.execute(select(organizations.c.id)).scalars())


def _count(connection: Connection, where: Any) -> int:
    return int(connection.execute(select(func.count()).where(where)).scalar_one())


# Days


def add_counts(connection: Connection, counts: Counts, day: int) -> None:
    """Adds to a day what was counted."""
    query = select(products.c.id, products.c.organization_id).where(products.c.id.in_(list(counts.check_ins)))
    _add(connection, day, "check_ins", _owners(connection, query, counts.check_ins))
    query = select(patches.c.digest, products.c.organization_id).join(products, products.c.id == patches.c.product_id)
    served = _owners(connection, query.where(patches.c.digest.in_(list(counts.served))), counts.served)
    _add(connection, day, "bytes_served", served)


def _owners(connection: Connection, query: Select[Any], counts: Mapping[Any, int]) -> Counter[int]:
    """Counts by organization. Two products with equal patches are served the same file: one of them has it counted."""
    totals: Counter[int] = Counter()
    if counts:
        owners = {row[0]: int(row[1]) for row in connection.execute(query)}
        for key, owner in owners.items():
            totals[owner] += counts[key]
    return totals


def _add(connection: Connection, day: int, column: str, counts: Mapping[int, int]) -> None:
    for organization_id, count in counts.items():
        if count:
            _change(connection, organization_id, day, {column: usage_days.c[column] + count}, {column: count})


def set_amounts(connection: Connection, organization_id: int, day: int, values: Amounts) -> None:
    """What an organization has on a day; the last of a day stays."""
    _change(connection, organization_id, day, asdict(values), asdict(values))


def _change(
    connection: Connection, organization_id: int, day: int, changed: Mapping[str, Any], first: Mapping[str, int]
) -> None:
    where = (usage_days.c.organization_id == organization_id, usage_days.c.day == day)
    if connection.execute(update(usage_days).where(*where).values(**changed)).rowcount == 0:
        empty = {"check_ins": 0, "bytes_served": 0, **asdict(Amounts())}
        row = {**empty, **first, "organization_id": organization_id, "day": day}
        connection.execute(insert(usage_days).values(row))


def days(connection: Connection, organization_id: int, first: int, last: int) -> list[Day]:
    """Oldest first; days without use are left out."""
    rows = connection.execute(
        select(usage_days)
        .where(usage_days.c.organization_id == organization_id, usage_days.c.day.between(first, last))
        .order_by(usage_days.c.day)
    )
    return [
        Day(row.day, row.check_ins, row.bytes_served, Amounts(row.seats, row.devices, row.storage_bytes))
        for row in rows
    ]


# Limits


def limits_of(connection: Connection, organization_id: int | None) -> Limits:
    """An organization's own; None: those of every organization that has none."""
    columns = (limits.c[field.name] for field in fields(Limits))
    where = limits.c.organization_id == (organization_id or _EVERYBODY)
    row = connection.execute(select(*columns).where(where)).first()
    return Limits() if row is None else Limits(*row)


def keep_limits(connection: Connection, organization_id: int | None, values: Limits) -> None:
    key = organization_id or _EVERYBODY
    connection.execute(delete(limits).where(limits.c.organization_id == key))
    connection.execute(insert(limits).values(organization_id=key, **asdict(values)))
