# SPDX-License-Identifier: Apache-2.0
"""A day's use, and limits."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import BigInteger, Column, ForeignKey, Integer, Table

from ota_server.storage.schema import metadata

usage_days = Table(
    "usage_days",
    metadata,
    Column("organization_id", ForeignKey("organizations.id"), primary_key=True),
    # Days since 1970, in UTC.
    Column("day", Integer, primary_key=True, autoincrement=False),
    Column("check_ins", BigInteger, nullable=False),
    Column("bytes_served", BigInteger, nullable=False),
    Column("seats", Integer, nullable=False),
    Column("devices", Integer, nullable=False),
    Column("storage_bytes", BigInteger, nullable=False),
)

# What is None is not limited, or as for all organizations, whose row has the number 0.
limits = Table(
    "limits",
    metadata,
    Column("organization_id", Integer, primary_key=True, autoincrement=False),
    Column("seats", Integer, nullable=True),
    Column("devices", Integer, nullable=True),
    Column("storage_bytes", BigInteger, nullable=True),
    Column("organizations", Integer, nullable=True),
)


@dataclass(frozen=True, slots=True)
class Amounts:
    """What an organization has now, or had at the end of a day.

    Attributes:
        seats: team members and open invitations.
        devices: those that are trusted, seen or not.
        storage_bytes: of images, ELF files and patches.
    """

    seats: int = 0
    devices: int = 0
    storage_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Day:
    """One day's use. `day`: since 1970, in UTC. `bytes_served`: of patches, to devices."""

    day: int
    check_ins: int
    bytes_served: int
    amounts: Amounts


@dataclass(frozen=True, slots=True)
class Limits:
    """How much there may be; None: as much as anybody likes.

    Attributes:
        organizations: that one account may own.
    """

    seats: int | None = None
    devices: int | None = None
    storage_bytes: int | None = None
    organizations: int | None = None
