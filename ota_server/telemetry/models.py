# SPDX-License-Identifier: Apache-2.0
"""What devices tell, as the server keeps it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from ota_server.storage.schema import RowNumber, metadata, status_type


class HistoryKind(StrEnum):
    """Kinds of lines in a device's history."""

    OPENED = "opened"
    QUARANTINED = "quarantined"
    CHANGED = "changed"
    """A team member changed something."""
    VERSION = "version"
    OFFERED = "offered"
    WITHDRAWN = "withdrawn"
    STAGED = "staged"
    TRIAL = "trial"
    CONFIRMED = "confirmed"
    REVERTED = "reverted"
    FAILED = "failed"
    INTERRUPTED = "interrupted"
    NO_CONTACT = "no_contact"
    STOPPED = "stopped"
    CRASH = "crash"
    ALERT = "alert"


history = Table(
    "history",
    metadata,
    Column("id", RowNumber, primary_key=True),
    Column("device_row", ForeignKey("devices.id"), nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    Column("kind", status_type(HistoryKind, "history_kind"), nullable=False),
    Column("text", Text, nullable=False),
    Column("once", String(120), nullable=True),
    # Where its device was then; NULL: nowhere any more.
    Column("product_id", ForeignKey("products.id", ondelete="SET NULL"), nullable=True),
    UniqueConstraint("device_row", "once"),
    Index("ix_history_device_at", "device_row", "at_ms"),
    Index("ix_history_product_at", "product_id", "at_ms", "id"),
)

logs = Table(
    "logs",
    metadata,
    Column("id", RowNumber, primary_key=True),
    Column("device_row", ForeignKey("devices.id"), nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    Column("level", Integer, nullable=False),
    Column("text", Text, nullable=False),
    # Where its device was then; NULL: nowhere any more.
    Column("product_id", ForeignKey("products.id", ondelete="SET NULL"), nullable=True),
    Index("ix_logs_device_at", "device_row", "at_ms"),
    Index("ix_logs_product_at", "product_id", "at_ms", "id"),
)

events = Table(
    "events",
    metadata,
    Column("id", RowNumber, primary_key=True),
    Column("device_row", ForeignKey("devices.id"), nullable=True),
    Column("at_ms", BigInteger, nullable=False),
    Column("name", Text, nullable=False),
    Column("data", Text, nullable=False),
    # Whose it is, and who published it: a device's id, or what stands there for others.
    Column("organization_id", ForeignKey("organizations.id"), nullable=False),
    Column("product_id", ForeignKey("products.id"), nullable=True),
    Column("core_id", String(24), nullable=False),
    Column("ttl_s", Integer, nullable=False),
    Index("ix_events_device_at", "device_row", "at_ms"),
    Index("ix_events_at_ms", "at_ms"),
    Index("ix_events_product_at", "product_id", "at_ms", "id"),
    # Streams go on behind the last id they have seen: none may come again.
    sqlite_autoincrement=True,
)

# How far a job that looks at the clock has come: one process at a time moves it on.
cursors = Table(
    "cursors",
    metadata,
    Column("name", String(20), primary_key=True),
    Column("at_ms", BigInteger, nullable=False),
)

crashes = Table(
    "crashes",
    metadata,
    Column("id", RowNumber, primary_key=True),
    Column("device_row", ForeignKey("devices.id"), nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    Column("identity8", LargeBinary(8), nullable=False),
    Column("reason", BigInteger, nullable=False),
    Column("pc", BigInteger, nullable=False),
    Column("lr", BigInteger, nullable=False),
    Column("uptime_s", BigInteger, nullable=False),
    # Where its device was then; NULL: nowhere any more.
    Column("product_id", ForeignKey("products.id", ondelete="SET NULL"), nullable=True),
    Index("ix_crashes_device_at", "device_row", "at_ms"),
    Index("ix_crashes_product_at", "product_id", "at_ms"),
)

# Every report id that was counted: a report that comes again changes nothing.
counted_reports = Table(
    "counted_reports",
    metadata,
    Column("device_row", ForeignKey("devices.id"), primary_key=True),
    Column("report_id", BigInteger, primary_key=True),
    sqlite_with_rowid=False,
)


@dataclass(frozen=True, slots=True)
class HistoryLine:
    """Something that happened to a device."""

    at_ms: int
    kind: HistoryKind
    text: str


@dataclass(frozen=True, slots=True)
class LogEntry:
    """A line that the device logged; `level` 0 debug to 3 error."""

    at_ms: int
    level: int
    text: str


@dataclass(frozen=True, slots=True)
class EventEntry:
    """An event of the product's code."""

    at_ms: int
    name: str
    data: str


@dataclass(frozen=True, slots=True)
class Source:
    """Whose events they are.

    Attributes:
        product_id, device_row: None for those of an organization, and of no device.
        core_id: the device's id, or what stands there for others.
    """

    organization_id: int
    product_id: int | None
    device_row: int | None
    core_id: str
