# SPDX-License-Identifier: Apache-2.0
"""SQL for webhooks and their deliveries."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields

from sqlalchemy import Connection, delete, func, insert, select, update

from ota_server.webhooks.models import Delivery, DeliveryStatus, Webhook, deliveries, webhooks

_HOOK = [webhooks.c[field.name] for field in fields(Webhook)]
_DELIVERY = [deliveries.c[field.name] for field in fields(Delivery)]


def add(connection: Connection, values: dict[str, object]) -> Webhook:
    key = connection.execute(insert(webhooks).values(**values)).inserted_primary_key
    assert key is not None
    found = by_row(connection, int(key[0]))
    assert found is not None
    return found


def by_row(connection: Connection, webhook_id: int) -> Webhook | None:
    row = connection.execute(select(*_HOOK).where(webhooks.c.id == webhook_id)).first()
    return None if row is None else Webhook(*row)


def of_owner(connection: Connection, organization_id: int, product_id: int | None) -> list[Webhook]:
    """A product's webhooks, or those of the organization as a whole."""
    query = select(*_HOOK).where(webhooks.c.organization_id == organization_id)
    query = query.where(webhooks.c.product_id.is_(None) if product_id is None else webhooks.c.product_id == product_id)
    return [Webhook(*row) for row in connection.execute(query.order_by(webhooks.c.id))]


def listening(connection: Connection, organization_id: int, product_id: int | None) -> list[Webhook]:
    """Webhooks that are on and hear events of a product (or of the organization)."""
    rows = connection.execute(
        select(*_HOOK).where(webhooks.c.organization_id == organization_id, webhooks.c.off_reason == "")
    )
    return [hook for hook in (Webhook(*row) for row in rows) if hook.product_id in (None, product_id)]


def remove(connection: Connection, webhook_id: int) -> None:
    connection.execute(delete(deliveries).where(deliveries.c.webhook_id == webhook_id))
    connection.execute(delete(webhooks).where(webhooks.c.id == webhook_id))


def change(connection: Connection, webhook_id: int, values: dict[str, object]) -> None:
    connection.execute(update(webhooks).where(webhooks.c.id == webhook_id).values(**values))


def count_queued(connection: Connection, webhook_id: int) -> int:
    return connection.execute(
        select(func.count())
        .select_from(deliveries)
        .where(deliveries.c.webhook_id == webhook_id, deliveries.c.status == DeliveryStatus.QUEUED)
    ).scalar_one()


def queue(connection: Connection, rows: Sequence[dict[str, object]]) -> None:
    connection.execute(insert(deliveries), list(rows))


def due(connection: Connection, now_ms: int, limit: int) -> list[Delivery]:
    """What should be sent, longest overdue first."""
    rows = connection.execute(
        select(*_DELIVERY)
        .where(deliveries.c.status == DeliveryStatus.QUEUED, deliveries.c.due_ms <= now_ms)
        .order_by(deliveries.c.due_ms, deliveries.c.id)
        .limit(limit)
    )
    return [Delivery(*row) for row in rows]


def take(connection: Connection, delivery: Delivery, until_ms: int) -> bool:
    """Keeps others away from a delivery until then; False when another process has it."""
    taken = connection.execute(
        update(deliveries)
        .where(
            deliveries.c.id == delivery.id,
            deliveries.c.status == DeliveryStatus.QUEUED,
            deliveries.c.due_ms == delivery.due_ms,
        )
        .values(due_ms=until_ms)
    )
    return taken.rowcount == 1


def change_delivery(connection: Connection, delivery_id: int, values: dict[str, object]) -> None:
    connection.execute(update(deliveries).where(deliveries.c.id == delivery_id).values(**values))


def log(connection: Connection, webhook_id: int, limit: int) -> list[Delivery]:
    """Newest first."""
    rows = connection.execute(
        select(*_DELIVERY).where(deliveries.c.webhook_id == webhook_id).order_by(deliveries.c.id.desc()).limit(limit)
    )
    return [Delivery(*row) for row in rows]


def trim(connection: Connection, webhook_id: int, keep: int) -> None:
    """Forgets all but the newest deliveries that are over."""
    is_over = (deliveries.c.webhook_id == webhook_id, deliveries.c.status != DeliveryStatus.QUEUED)
    query = select(deliveries.c.id).where(*is_over).order_by(deliveries.c.id.desc()).limit(1).offset(keep)
    newest_gone = connection.execute(query).scalar_one_or_none()
    if newest_gone is not None:
        connection.execute(delete(deliveries).where(*is_over, deliveries.c.id <= newest_gone))


def drop_queued(connection: Connection, webhook_id: int, values: dict[str, object]) -> None:
    """Ends what waits for a webhook that is switched off."""
    connection.execute(
        update(deliveries)
        .where(deliveries.c.webhook_id == webhook_id, deliveries.c.status == DeliveryStatus.QUEUED)
        .values(**values)
    )
