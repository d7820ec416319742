# SPDX-License-Identifier: Apache-2.0
"""Finds a few devices by how their id or name begins: from indexes, however many there are."""

from __future__ import annotations

from sqlalchemy import Connection, select

from ota_server.devices.models import devices
from ota_server.storage.sql import begins_with


def beginning_with(connection: Connection, product_id: int, text: str, limit: int) -> list[tuple[str, str]]:
    """Ids and names. A name is found as it is written, and with small, great or a first great letter."""
    found: dict[str, str] = {}
    ways = [(devices.c.device_id, text.lower())]
    ways += [(devices.c.name, way) for way in dict.fromkeys((text, text.lower(), text.capitalize(), text.upper()))]
    for column, beginning in ways:
        if len(found) >= limit:
            break
        query = select(devices.c.device_id, devices.c.name)
        query = query.where(devices.c.product_id == product_id, begins_with(column, beginning))
        found |= {row[0]: row[1] for row in connection.execute(query.order_by(column).limit(limit))}
    return list(found.items())[:limit]
