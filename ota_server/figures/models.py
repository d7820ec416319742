# SPDX-License-Identifier: Apache-2.0
"""Figures of a product's hours, as the server keeps them."""

from __future__ import annotations

import json
from dataclasses import dataclass

from sqlalchemy import BigInteger, Column, ForeignKey, Integer, String, Table, Text

from ota_server.storage.schema import metadata

HOUR_MS = 3_600_000

COUNTED = ("events", "errors", "crashes", "confirmed", "failures")
"""Columns that add up what came during the hour; the others say what there was at its end."""

product_hours = Table(
    "product_hours",
    metadata,
    Column("product_id", ForeignKey("products.id", ondelete="CASCADE"), primary_key=True),
    # Hours since 1970.
    Column("hour", Integer, primary_key=True, autoincrement=False),
    Column("devices", Integer, nullable=False, default=0),
    Column("online", Integer, nullable=False, default=0),
    Column("customers", Integer, nullable=False, default=0),
    Column("active_customers", Integer, nullable=False, default=0),
    # JSON: {version, or "" where none was told: devices}.
    Column("versions", Text, nullable=False, default="{}"),
    *(Column(name, BigInteger, nullable=False, default=0) for name in COUNTED),
)

# A product's devices as they were counted last. `tallies`: JSON, a list for each `standing.Tally`.
product_standings = Table(
    "product_standings",
    metadata,
    Column("product_id", ForeignKey("products.id", ondelete="CASCADE"), primary_key=True),
    Column("counted_ms", BigInteger, nullable=False, default=0),
    Column("online", Integer, nullable=False, default=0),
    Column("tallies", Text, nullable=False, default="[]"),
)

# How far the rows of a table were counted, those behind `first_id`. `seen_id`: the newest one at `seen_ms`.
figure_marks = Table(
    "figure_marks",
    metadata,
    Column("name", String(20), primary_key=True),
    Column("counted_id", BigInteger, nullable=False),
    Column("seen_id", BigInteger, nullable=False),
    Column("seen_ms", BigInteger, nullable=False),
    Column("first_id", BigInteger, nullable=False),
)


@dataclass(frozen=True, slots=True)
class Hour:
    """One hour of a product.

    Attributes:
        hour: since 1970.
        devices, online: trusted devices, and those of them that were online, at the end.
        customers, active_customers: all, and those that asked for something in the 30 days before.
        versions: JSON; see `by_version`.
        events: that the product's code published.
        errors: log lines of the level error.
        confirmed, failures: attempts that ended so.
    """

    hour: int
    devices: int
    online: int
    customers: int
    active_customers: int
    versions: str
    events: int
    errors: int
    crashes: int
    confirmed: int
    failures: int

    @property
    def by_version(self) -> dict[int | None, int]:
        """Devices by the version that they run; None: not told."""
        found: dict[str, int] = json.loads(self.versions)
        return {int(version) if version else None: count for version, count in found.items()}
