# SPDX-License-Identifier: Apache-2.0
"""A webhook, and its deliveries: the queue and the log are one table."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, String, Table, Text

from ota_server.moves import Moves
from ota_server.storage.schema import RowNumber, metadata, status_type


class DeliveryStatus(StrEnum):
    """What has become of a request."""

    QUEUED = "queued"
    DONE = "done"
    FAILED = "failed"


DELIVERY_MOVES: Moves[DeliveryStatus] = {
    DeliveryStatus.QUEUED: frozenset({DeliveryStatus.DONE, DeliveryStatus.FAILED}),
    DeliveryStatus.DONE: frozenset(),
    DeliveryStatus.FAILED: frozenset(),
}

webhooks = Table(
    "webhooks",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("organization_id", ForeignKey("organizations.id"), nullable=False),
    # NULL: events of the whole organization.
    Column("product_id", ForeignKey("products.id", ondelete="CASCADE"), nullable=True),
    Column("event", String(64), nullable=False),
    Column("device_id", String(24), nullable=True),
    # JSON: see `hook.Hook`. Headers and passwords in it are sent as they are, so they are kept as they are.
    Column("content", Text, nullable=False),
    Column("secret", String(64), nullable=False),
    Column("created_ms", BigInteger, nullable=False),
    # Deliveries in a row that failed; why it is off, if it is.
    Column("failures", Integer, nullable=False),
    Column("off_reason", Text, nullable=False),
    Index("ix_webhooks_organization_id", "organization_id"),
    Index("ix_webhooks_product_id", "product_id"),
)

deliveries = Table(
    "deliveries",
    metadata,
    Column("id", RowNumber, primary_key=True),
    Column("webhook_id", ForeignKey("webhooks.id", ondelete="CASCADE"), nullable=False),
    Column("status", status_type(DeliveryStatus, "delivery_status"), nullable=False),
    Column("name", Text, nullable=False),
    Column("data", Text, nullable=False),
    Column("core_id", String(24), nullable=False),
    Column("product_id", Integer, nullable=True),
    Column("at_ms", BigInteger, nullable=False),
    Column("tries", Integer, nullable=False),
    Column("due_ms", BigInteger, nullable=False),
    Column("http_status", Integer, nullable=True),
    Column("duration_ms", Integer, nullable=True),
    Column("error", String(200), nullable=False),
    Index("ix_deliveries_status_due_ms", "status", "due_ms"),
    Index("ix_deliveries_webhook_id_status", "webhook_id", "status"),
)


@dataclass(frozen=True, slots=True)
class Webhook:
    """One row of `webhooks`; the columns say what they are."""

    id: int
    organization_id: int
    product_id: int | None
    event: str
    device_id: str | None
    content: str
    secret: str
    created_ms: int
    failures: int
    off_reason: str


@dataclass(frozen=True, slots=True)
class Delivery:
    """An event for a webhook, and what came of it.

    Attributes:
        at_ms: when the event was published.
        due_ms: when it is tried next; once it is over, when that was.
        http_status, duration_ms, error: of the last try.
    """

    id: int
    webhook_id: int
    status: DeliveryStatus
    name: str
    data: str
    core_id: str
    product_id: int | None
    at_ms: int
    tries: int
    due_ms: int
    http_status: int | None
    duration_ms: int | None
    error: str
