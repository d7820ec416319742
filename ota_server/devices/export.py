# SPDX-License-Identifier: Apache-2.0
"""Devices written as a table (CSV), which `devices.table` reads."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from muster.csv_text import csv_row
from muster.layout import platform_name
from ota_server.devices import claims, groups, search, table
from ota_server.devices.models import Device
from ota_server.devices.search import Search
from ota_server.storage.database import Database
from ota_server.times import rfc3339

_AT_ONCE = 1000


def lines(database: Database, product_id: int, wanted: Search) -> Iterator[str]:
    """All devices that a search finds, by id, behind a line that names the columns."""
    yield csv_row(*table.READ, *table.SHOWN)
    wanted, last = replace(wanted, per_page=_AT_ONCE), None
    while True:
        # A page at a time: whoever reads slowly holds nothing.
        with database.read() as connection:
            rows = search.next_of_product(connection, product_id, wanted, last)
            in_groups = groups.of_devices(connection, [row.id for row in rows])
            owners = claims.owners_of(connection, rows)
        for row in rows:
            owner = None if row.customer_id is None else owners[row.customer_id].email
            yield csv_row(*_cells(row, in_groups.get(row.id, []), owner))
        if len(rows) < _AT_ONCE:
            return
        last = rows[-1]


def _cells(row: Device, in_groups: Sequence[str], owner: str | None) -> list[str]:
    key = "" if row.public_key is None else row.public_key.hex()
    names = " ".join(in_groups)
    read = (row.device_id, key, row.name, row.serial_number, row.time_zone, names, row.tags, row.country, row.notes)
    platform = None if row.platform_id is None else platform_name(row.platform_id)
    heard = None if row.last_seen_ms is None else rfc3339(row.last_seen_ms)
    development = "yes" if row.development else "no"
    shown = (owner, row.status.value, platform, row.product_version, heard, development, row.locked_version)
    return ["" if value is None else str(value) for value in (*read, *shown)]
