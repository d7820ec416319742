# SPDX-License-Identifier: Apache-2.0
"""Queues events for the webhooks that hear them, in the commit that publishes them: none is lost, none made up."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection

from ota_server.errors import Conflict
from ota_server.telemetry.models import EventEntry, Source
from ota_server.webhooks import store
from ota_server.webhooks.models import DeliveryStatus, Webhook

QUEUED_MAX = 1000
"""Deliveries of one webhook that wait; what is published beyond it is not delivered."""
TEST_DEVICE = "0123456789abcdef01234567"
TEST_DATA = "test"


def enqueue(connection: Connection, source: Source, entries: Sequence[EventEntry], now_ms: int) -> None:
    """Queues what the organization's webhooks hear of these events."""
    for hook in store.listening(connection, source.organization_id, source.product_id):
        if hook.device_id not in (None, source.core_id):
            continue
        heard = [entry for entry in entries if entry.name.startswith(hook.event)]
        if not heard:
            continue
        room = QUEUED_MAX - store.count_queued(connection, hook.id)
        rows = [_delivery(hook, source, entry, now_ms) for entry in heard[: max(room, 0)]]
        if rows:
            store.queue(connection, rows)


def enqueue_test(connection: Connection, hook: Webhook, now_ms: int) -> None:
    """Queues an event that was never published, for one webhook. Raises Conflict where too many wait."""
    if store.count_queued(connection, hook.id) >= QUEUED_MAX:
        raise Conflict(f"{QUEUED_MAX} deliveries wait already: see why they fail")
    source = Source(hook.organization_id, hook.product_id, None, hook.device_id or TEST_DEVICE)
    store.queue(connection, [_delivery(hook, source, EventEntry(now_ms, hook.event, TEST_DATA), now_ms)])


def _delivery(hook: Webhook, source: Source, entry: EventEntry, now_ms: int) -> dict[str, object]:
    return {
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
