# SPDX-License-Identifier: Apache-2.0
"""A product as the server keeps it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import BigInteger, Boolean, Column, ForeignKey, Integer, LargeBinary, String, Table, Text

from ota_server.storage.schema import metadata, status_type

DEFAULT_INTERVAL_S = 300
DEFAULT_QUARANTINE_MAX = 100
DEFAULT_PATCH_WAIT, PATCH_WAIT_MAX = 12, 1000


class Claiming(StrEnum):
    """How customers come to own devices of a product. Its team may always give them an owner."""

    OFF = "off"
    CODE = "code"
    """The device tells a claim code, which whoever has it in hand has given to it."""
    ID = "id"
    """Whoever names a device that nobody owns has it, too. Ids are printed on devices: they are no secret."""


class Reprogrammers(StrEnum):
    """Who of a team may decide what devices of a product run."""

    DEVELOPERS = "developers"
    """Everybody whose role or token allows it."""
    ADMINISTRATORS = "administrators"
    """Of those, the administrators only."""


products = Table(
    "products",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("organization_id", ForeignKey("organizations.id"), nullable=False, index=True),
    Column("slug", String(64), nullable=False, unique=True),
    Column("name", String(100), nullable=False),
    Column("description", Text, nullable=False),
    Column("auto_approve", Boolean(create_constraint=True, name="auto_approve"), nullable=False),
    Column("check_in_interval_s", Integer, nullable=False),
    Column("quarantine_max", Integer, nullable=False),
    Column("patch_wait", Integer, nullable=False),
    Column("default_version", Integer, nullable=True),
    Column("claiming", status_type(Claiming, "claiming"), nullable=False),
    Column("reprogrammers", status_type(Reprogrammers, "reprogrammers"), nullable=False),
    Column("time_zone", String(64), nullable=True),
    Column("keep_logs_days", Integer, nullable=True),
    Column("keep_events_days", Integer, nullable=True),
    Column("plan_token", LargeBinary(8), nullable=False),
    Column("created_ms", BigInteger, nullable=False),
)


@dataclass(frozen=True, slots=True)
class Product:
    """A product.

    Attributes:
        id: the product id in its images, 1 to 65,534.
        organization_id: who owns it.
        slug: its name in addresses.
        auto_approve: whether a new device is trusted without a team member's look.
        check_in_interval_s: how often devices are asked to report.
        quarantine_max: most devices that wait for approval at once.
        patch_wait: check-ins for which a device waits for its patch; then it is offered the full image.
        claiming: how customers come to own devices.
        reprogrammers: who of the team may decide what devices run.
        time_zone: of its devices that have none of their own; None: UTC.
        keep_logs_days, keep_events_days: how long; None for as long as the server keeps them.
        default_version: what devices run that no rollout reaches; None for "what they have".
        plan_token: changes whenever something changes that decides what devices are offered.
    """

    id: int
    organization_id: int
    slug: str
    name: str
    description: str
    auto_approve: bool
    check_in_interval_s: int
    quarantine_max: int
    patch_wait: int
    default_version: int | None
    claiming: Claiming
    reprogrammers: Reprogrammers
    time_zone: str | None
    keep_logs_days: int | None
    keep_events_days: int | None
    plan_token: bytes
    created_ms: int
