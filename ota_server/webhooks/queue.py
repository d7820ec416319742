# SPDX-License-Identifier: Apache-2.0
"""Queues events for the webhooks that hear them, in the commit that publishes them: none is lost, none made up."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection

from ota_server.telemetry.models import EventEntry, Source
from ota_server.webhooks import store
from ota_server.webhooks.models import DeliveryStatus

QUEUED_MAX = 1000
"""Deliveries of one webhook that wait; what is published beyond it is not delivered."""


def enqueue(connection: Connection, source: Source, entries: Sequence[EventEntry], now_ms: int) -> None:
    """Queues what the organization's webhooks hear of these events."""
    for hook in store.listening(connection, source.organization_id, source.product_id):
        if hook.device_id not in (None, source.core_id):
            continue
        heard = [entry for entry in entries if entry.name.startswith(hook.event)]
        if not heard:
            continue
        room = QUEUED_MAX - store.count_queued(connection, hook.id)
        rows: list[dict[str, object]] = [
            {
                "webhook_id": hook.id,
                "status": DeliveryStatus.QUEUED,
                "name": entry.name,
                "data": entry.data,
                "core_id": source.core_id,
                "product_id": source.product_id,
                "at_ms": entry.at_ms,
                "tries": 0,
                "due_ms": now_ms,
                "error": "",
            }
            for entry in heard[: max(room, 0)]
        ]
        if rows:
            store.queue(connection, rows)
