# SPDX-License-Identifier: Apache-2.0
"""SQL for organizations, their members and invitations."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from sqlalchemy import Connection, Select, delete, func, insert, select, update

from ota_server.accounts.models import accounts
from ota_server.organizations.models import Invitation, Member, Organization, invitations, members, organizations
from ota_server.organizations.roles import Role

_ORGANIZATION = tuple(organizations.c[field.name] for field in fields(Organization))
_WIDTH = len(_ORGANIZATION)


def by_slug(connection: Connection, slug: str) -> Organization | None:
    row = connection.execute(select(*_ORGANIZATION).where(organizations.c.slug == slug)).first()
    return None if row is None else Organization(*row)


def get(connection: Connection, organization_id: int) -> Organization | None:
    row = connection.execute(select(*_ORGANIZATION).where(organizations.c.id == organization_id)).first()
    return None if row is None else Organization(*row)


def of_account(connection: Connection, account_id: int) -> list[tuple[Organization, Role]]:
    """An account's organizations with its roles in them, by name."""
    rows = connection.execute(
        select(*_ORGANIZATION, members.c.role)
        .join(members, members.c.organization_id == organizations.c.id)
        .where(members.c.account_id == account_id)
        .order_by(organizations.c.name, organizations.c.id)
    )
    return [(Organization(*row[:_WIDTH]), Role(row[_WIDTH])) for row in rows]


def add(connection: Connection, slug: str, name: str, owner_id: int, now_ms: int) -> Organization:
    values = {"slug": slug, "name": name, "created_ms": now_ms, "owner_id": owner_id}
    key = connection.execute(insert(organizations).values(values)).inserted_primary_key
    assert key is not None
    return Organization(int(key[0]), slug, name, now_ms, owner_id)


def rename(connection: Connection, organization_id: int, name: str) -> None:
    connection.execute(update(organizations).where(organizations.c.id == organization_id).values(name=name))


def set_owner(connection: Connection, organization_id: int, account_id: int | None) -> None:
    connection.execute(update(organizations).where(organizations.c.id == organization_id).values(owner_id=account_id))


# Members


def members_of(connection: Connection, organization_id: int) -> list[Member]:
    """By address."""
    return [Member(*row) for row in connection.execute(_members(organization_id).order_by(accounts.c.email))]


def member(connection: Connection, organization_id: int, email: str) -> Member | None:
    row = connection.execute(_members(organization_id).where(accounts.c.email == email)).first()
    return None if row is None else Member(*row)


def _members(organization_id: int) -> Select[Any]:
    return (
        select(members.c.account_id, accounts.c.email, members.c.role, members.c.created_ms)
        .join(accounts, accounts.c.id == members.c.account_id)
        .where(members.c.organization_id == organization_id)
    )


def signed_in(connection: Connection, organization_id: int) -> dict[int, int]:
    """When members opened the pages last, by account; without those who never did."""
    rows = connection.execute(
        select(accounts.c.id, accounts.c.signed_in_ms)
        .join(members, members.c.account_id == accounts.c.id)
        .where(members.c.organization_id == organization_id, accounts.c.signed_in_ms.is_not(None))
    )
    return {row.id: row.signed_in_ms for row in rows}


def administrators(connection: Connection, organization_id: int) -> int:
    """How many there are."""
    found = connection.execute(
        select(func.count())
        .select_from(members)
        .where(members.c.organization_id == organization_id, members.c.role == Role.ADMINISTRATOR)
    ).scalar_one()
    return int(found)


def add_member(connection: Connection, organization_id: int, account_id: int, role: Role, now_ms: int) -> None:
    connection.execute(
        insert(members).values(organization_id=organization_id, account_id=account_id, role=role, created_ms=now_ms)
    )


def set_role(connection: Connection, organization_id: int, account_id: int, role: Role) -> None:
    connection.execute(
        update(members)
        .where(members.c.organization_id == organization_id, members.c.account_id == account_id)
        .values(role=role)
    )


def remove_member(connection: Connection, organization_id: int, account_id: int) -> None:
    connection.execute(
        delete(members).where(members.c.organization_id == organization_id, members.c.account_id == account_id)
    )


# Invitations


def invitations_of(connection: Connection, organization_id: int) -> list[Invitation]:
    return _invitations(connection, _INVITATION.where(invitations.c.organization_id == organization_id))


def invitations_to(connection: Connection, email: str) -> list[Invitation]:
    return _invitations(connection, _INVITATION.where(invitations.c.email == email))


def is_invited(connection: Connection, email: str) -> bool:
    """Whether an organization would like the address in its team."""
    query = select(invitations.c.id).where(invitations.c.email == email).limit(1)
    return connection.execute(query).first() is not None


_INVITATION = (
    select(*_ORGANIZATION, invitations.c.email, invitations.c.role, invitations.c.invited_by, invitations.c.created_ms)
    .join(invitations, invitations.c.organization_id == organizations.c.id)
    .order_by(invitations.c.created_ms, invitations.c.id)
)


def _invitations(connection: Connection, query: Select[Any]) -> list[Invitation]:
    return [Invitation(Organization(*row[:_WIDTH]), *row[_WIDTH:]) for row in connection.execute(query)]


def add_invitation(
    connection: Connection, organization_id: int, email: str, role: Role, invited_by: str, now_ms: int
) -> None:
    connection.execute(
        insert(invitations).values(
            organization_id=organization_id, email=email, role=role, invited_by=invited_by, created_ms=now_ms
        )
    )


def end_invitation(connection: Connection, organization_id: int, email: str) -> None:
    connection.execute(
        delete(invitations).where(invitations.c.organization_id == organization_id, invitations.c.email == email)
    )
