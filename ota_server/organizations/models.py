# SPDX-License-Identifier: Apache-2.0
"""An organization, its team members and its open invitations."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, String, Table, UniqueConstraint

from ota_server.organizations.roles import Role
from ota_server.storage.schema import metadata, status_type

organizations = Table(
    "organizations",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("slug", String(64), nullable=False, unique=True),
    Column("name", String(100), nullable=False),
    Column("created_ms", BigInteger, nullable=False),
    Column("owner_id", ForeignKey("accounts.id"), nullable=True),
)

branding = Table(
    "branding",
    metadata,
    Column("organization_id", ForeignKey("organizations.id"), primary_key=True),
    Column("name", String(100), nullable=False),
    Column("support_email", String(200), nullable=False),
    Column("color", String(7), nullable=False),
    Column("background", String(7), nullable=False),
    Column("logo", String(64), nullable=False, index=True),
)

members = Table(
    "members",
    metadata,
    Column("organization_id", ForeignKey("organizations.id"), primary_key=True),
    Column("account_id", ForeignKey("accounts.id"), primary_key=True),
    Column("role", status_type(Role, "member_role"), nullable=False),
    Column("created_ms", BigInteger, nullable=False),
    Index("ix_members_account_id", "account_id"),
)

invitations = Table(
    "invitations",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("organization_id", ForeignKey("organizations.id"), nullable=False),
    Column("email", String(200), nullable=False),
    Column("role", status_type(Role, "invitation_role"), nullable=False),
    Column("invited_by", String(200), nullable=False),
    Column("created_ms", BigInteger, nullable=False),
    UniqueConstraint("organization_id", "email"),
    Index("ix_invitations_email", "email"),
)


@dataclass(frozen=True, slots=True)
class Organization:
    """Who owns products.

    Attributes:
        slug: its name in addresses.
        owner_id: the administrator who can be neither removed nor demoted, until another one is given that place; None
            when the last team member has gone.
    """

    id: int
    slug: str
    name: str
    created_ms: int
    owner_id: int | None


@dataclass(frozen=True, slots=True)
class Member:
    """A person in an organization's team."""

    account_id: int
    email: str
    role: Role
    created_ms: int


@dataclass(frozen=True, slots=True)
class Invitation:
    """An e-mail address that may join. It lasts until it is answered or withdrawn."""

    organization: Organization
    email: str
    role: Role
    invited_by: str
    created_ms: int
