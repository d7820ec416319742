# SPDX-License-Identifier: Apache-2.0
"""A device as the server keeps it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple

from sqlalchemy import (
    BigInteger,
    Boolean,
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

from ota_server.moves import Moves
from ota_server.storage.schema import metadata, status_type
from ota_server.telemetry.habits import SIZE as HABIT_SIZE

ONLINE_INTERVALS = 2.5
"""A device counts as online for so many of its own intervals after it was heard."""


class DeviceStatus(StrEnum):
    """Whether the server trusts a device."""

    EXPECTED = "expected"
    """Imported by its id; its key is not known yet."""
    QUARANTINED = "quarantined"
    """Heard; gets no firmware until a team member approves its key's fingerprint."""
    ACTIVE = "active"
    DENIED = "denied"
    """Refused by a team member: it may not even open sessions."""


DEVICE_MOVES: Moves[DeviceStatus] = {
    DeviceStatus.EXPECTED: frozenset({DeviceStatus.QUARANTINED, DeviceStatus.ACTIVE, DeviceStatus.DENIED}),
    DeviceStatus.QUARANTINED: frozenset({DeviceStatus.ACTIVE, DeviceStatus.DENIED}),
    DeviceStatus.ACTIVE: frozenset({DeviceStatus.QUARANTINED, DeviceStatus.DENIED}),
    DeviceStatus.DENIED: frozenset({DeviceStatus.ACTIVE}),
}

devices = Table(
    "devices",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("device_id", String(24), nullable=False),
    Column("public_key", LargeBinary(32), nullable=True),
    # None: it was removed, and only its history is left.
    Column("product_id", ForeignKey("products.id"), nullable=True),
    Column("platform_id", Integer, nullable=True),
    Column("name", String(100), nullable=False, default=""),
    Column("notes", Text, nullable=False, default=""),
    Column("status", status_type(DeviceStatus, "device_status"), nullable=False),
    Column("quarantine_reason", Text, nullable=False, default=""),
    Column("development", Boolean(create_constraint=True, name="development"), nullable=False, default=False),
    Column("locked_version", Integer, nullable=True),
    Column("customer_id", ForeignKey("customers.id"), nullable=True, index=True),
    Column("serial_number", String(64), nullable=True),
    # Words with spaces between, and a code of ISO 3166.
    Column("tags", Text, nullable=False, default=""),
    Column("country", String(2), nullable=True),
    Column("time_zone", String(64), nullable=True),
    Column("flash_image", ForeignKey("images.id"), nullable=True),
    # The session under which the device talks, and the one it has opened and not used yet.
    Column("session_id", LargeBinary(8), nullable=True, unique=True),
    Column("session_key", LargeBinary(32), nullable=True),
    Column("session_digest", LargeBinary(32), nullable=True),
    Column("session_answer", LargeBinary, nullable=True),
    Column("pending_id", LargeBinary(8), nullable=True, unique=True),
    Column("pending_key", LargeBinary(32), nullable=True),
    Column("pending_digest", LargeBinary(32), nullable=True),
    Column("pending_answer", LargeBinary, nullable=True),
    # What it told last (docs/spec/device_protocol.md section 3.1).
    Column("identity", LargeBinary(8), nullable=True),
    Column("product_version", Integer, nullable=True),
    Column("slot", Integer, nullable=True),
    Column("hardware_revision", Integer, nullable=True),
    Column("security_counter", BigInteger, nullable=True),
    Column("boot_state", Integer, nullable=True),
    Column("bootloader_version", Integer, nullable=True),
    Column("keyset_version", BigInteger, nullable=True),
    Column("interval_s", Integer, nullable=True),
    Column("boots", BigInteger, nullable=True),
    Column("first_seen_ms", BigInteger, nullable=True),
    Column("last_opened_ms", BigInteger, nullable=True),
    # What it is at.
    Column("attempt_counter", BigInteger, nullable=False, default=0),
    Column("open_attempt", BigInteger, nullable=True),
    Column("blocked", Text, nullable=False, default="[]"),
    # What its product's code lets others use: {"functions": [name], "variables": {name: type}}.
    Column("interface", Text, nullable=False, default="{}"),
    # Until when it shall answer at once; a time that is over: until it is told so. NULL: it keeps its interval.
    Column("watched_until_ms", BigInteger, nullable=True),
    Column("patch_waits", Integer, nullable=False, default=0),
    UniqueConstraint("device_id", "public_key"),
    UniqueConstraint("product_id", "serial_number"),
    # Filters, each in the order that lists have unless they are asked for another one.
    Index("ix_devices_product_status", "product_id", "status", "device_id", "id"),
    # Counted in this index alone.
    Index(
        "ix_devices_product_counts",
        "product_id",
        "status",
        "product_version",
        "platform_id",
        "development",
        "locked_version",
    ),
    Index("ix_devices_product_id", "product_id", "id"),
    Index("ix_devices_product_device", "product_id", "device_id", "id"),
    Index("ix_devices_product_name", "product_id", "name", "id"),
)
# NULL is the least, as it is in every index of SQLite; PostgreSQL's has to be told.
Index(
    "ix_devices_product_version",
    devices.c.product_id,
    devices.c.product_version.nulls_first(),
    devices.c.device_id,
    devices.c.id,
)
# Few are so: lists of them are read to their end. No check-in writes what makes a device one of them.
Index(
    "ix_devices_product_locked",
    devices.c.product_id,
    devices.c.device_id,
    devices.c.id,
    sqlite_where=devices.c.locked_version.is_not(None),
    postgresql_where=devices.c.locked_version.is_not(None),
)
Index(
    "ix_devices_product_development",
    devices.c.product_id,
    devices.c.device_id,
    devices.c.id,
    sqlite_where=devices.c.development.is_(True),
    postgresql_where=devices.c.development.is_(True),
)

# What each check-in changes, one narrow row for each of `devices`: few pages are written for many check-ins.
presence = Table(
    "presence",
    metadata,
    Column("device_row", ForeignKey("devices.id"), primary_key=True),
    # Its device's.
    Column("product_id", ForeignKey("products.id"), nullable=True),
    Column("session_counter", BigInteger, nullable=False, default=0),
    Column("uptime_s", BigInteger, nullable=True),
    Column("health", Text, nullable=False, default="{}"),
    Column("habit", LargeBinary(HABIT_SIZE), nullable=True),
    Column("last_seen_ms", BigInteger, nullable=True),
    Column("online_until_ms", BigInteger, nullable=False, default=0),
    Index("ix_presence_product_online", "product_id", "online_until_ms"),
)
Index("ix_presence_product_seen", presence.c.product_id, presence.c.last_seen_ms.nulls_first(), presence.c.device_row)

groups = Table(
    "groups",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("product_id", ForeignKey("products.id"), nullable=False),
    Column("name", String(64), nullable=False),
    Column("description", Text, nullable=False),
    Column("color", String(7), nullable=False),
    Column("released_version", Integer, nullable=True),
    UniqueConstraint("product_id", "name"),
)

group_devices = Table(
    "group_devices",
    metadata,
    Column("group_id", ForeignKey("groups.id"), primary_key=True),
    Column("device_row", ForeignKey("devices.id"), primary_key=True),
    Index("ix_group_devices_device_row", "device_row"),
    sqlite_with_rowid=False,
)

# Codes that make a device its owner's when the device tells one. `device_row`: which device has told it.
claim_codes = Table(
    "claim_codes",
    metadata,
    Column("code_hash", LargeBinary(32), primary_key=True),
    Column("account_id", ForeignKey("accounts.id"), nullable=True, index=True),
    Column("customer_id", ForeignKey("customers.id"), nullable=True, index=True),
    Column("device_row", ForeignKey("devices.id"), nullable=True, index=True),
    Column("expires_ms", BigInteger, nullable=False, index=True),
)


# Openings that were answered: a replay of one must not replace the pending session.
openings = Table(
    "openings",
    metadata,
    Column("device_row", ForeignKey("devices.id"), primary_key=True),
    Column("digest", LargeBinary(32), primary_key=True),
    Column("number", Integer, nullable=False),
    sqlite_with_rowid=False,
)


@dataclass(frozen=True, slots=True)
class Group:
    """A name for some devices of a product.

    Attributes:
        color: `#` and six hexadecimal digits, or nothing.
        released_version: what its devices run that no rollout reaches; None for the product's default.
    """

    id: int
    product_id: int
    name: str
    description: str
    color: str
    released_version: int | None


class Device(NamedTuple):
    """One row of `devices` with its row of `presence`; the columns say what they are.

    A tuple: each check-in makes some, of many fields.

    Attributes:
        id: the row; `device_id` is the chip's unique id, 24 lower-case hexadecimal digits.
        customer_id: who owns it; None when nobody has claimed it.
        tags: in order, with spaces between.
        country: two capital letters (ISO 3166).
        time_zone: a name of the time zone database; None: its product's.
        flash_image: the image that it is given while it is for development.
        habit: when it is used to check in: see `telemetry.habits`.
        online_until_ms: when it stops counting as online unless it is heard again.
        attempt_counter: number of the newest attempt.
        open_attempt: number of the attempt it is at work on.
        blocked: JSON list of image identities (16 bytes, hexadecimal) that are not offered to it again.
        interface: JSON; see `functions` and `variables`.
        watched_until_ms: until when it shall answer at once.
        patch_waits: check-ins since it waits for a patch that is being made.
    """

    id: int
    device_id: str
    public_key: bytes | None
    product_id: int
    platform_id: int | None
    name: str
    notes: str
    status: DeviceStatus
    quarantine_reason: str
    development: bool
    locked_version: int | None
    customer_id: int | None
    serial_number: str | None
    tags: str
    country: str | None
    time_zone: str | None
    flash_image: int | None
    session_id: bytes | None
    session_key: bytes | None
    session_counter: int
    session_digest: bytes | None
    session_answer: bytes | None
    pending_id: bytes | None
    pending_key: bytes | None
    pending_digest: bytes | None
    pending_answer: bytes | None
    identity: bytes | None
    product_version: int | None
    slot: int | None
    hardware_revision: int | None
    security_counter: int | None
    boot_state: int | None
    bootloader_version: int | None
    keyset_version: int | None
    interval_s: int | None
    uptime_s: int | None
    boots: int | None
    health: str
    first_seen_ms: int | None
    last_seen_ms: int | None
    online_until_ms: int
    last_opened_ms: int | None
    habit: bytes | None
    attempt_counter: int
    open_attempt: int | None
    blocked: str
    interface: str
    watched_until_ms: int | None
    patch_waits: int

    def is_online(self, now_ms: int) -> bool:
        return self.online_until_ms > now_ms

    def is_watched(self, now_ms: int) -> bool:
        return self.watched_until_ms is not None and self.watched_until_ms > now_ms

    @property
    def functions(self) -> list[str]:
        """Names of what can be called."""
        found: list[str] = json.loads(self.interface).get("functions", [])
        return found

    @property
    def variables(self) -> dict[str, str]:
        """Name of what can be read -> type, in Particle's words."""
        found: dict[str, str] = json.loads(self.interface).get("variables", {})
        return found


whole = devices.join(presence, presence.c.device_row == devices.c.id)
"""Devices with their presence: each has one."""
COLUMNS: list[Column[Any]] = [(devices if name in devices.c else presence).c[name] for name in Device._fields]
"""Of `whole`, in the order of the fields."""

NO_SESSION: dict[str, object] = {
    "session_id": None,
    "session_key": None,
    "session_counter": 0,
    "session_digest": None,
    "session_answer": None,
    "pending_id": None,
    "pending_key": None,
    "pending_digest": None,
    "pending_answer": None,
}
"""Column values that end a device's sessions: its next message is refused and it opens a new one."""
