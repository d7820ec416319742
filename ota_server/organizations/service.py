# SPDX-License-Identifier: Apache-2.0
"""Rules for organizations and their teams. Who may call what is decided before: see `access`."""

from __future__ import annotations

import re
from dataclasses import replace

from sqlalchemy import Connection

from ota_server.accounts import service as accounts
from ota_server.accounts.addresses import clean_email, normal_email
from ota_server.accounts.models import Account
from ota_server.audit import store as audit
from ota_server.audit.models import Entry
from ota_server.errors import Conflict, Forbidden, Invalid, NotFound
from ota_server.organizations import api_users, store
from ota_server.organizations.models import Invitation, Member, Organization
from ota_server.organizations.roles import Role
from ota_server.products import store as products
from ota_server.usage import service as limits

INVITATIONS_MAX = 200
"""Open ones of an organization."""


def create(connection: Connection, name: str, account_id: int, now_ms: int, slug: str | None = None) -> Organization:
    """Makes an organization whose first administrator, and owner, is the account.

    Raises:
        Invalid: a field has no legal value.
        Conflict: the slug is taken.
    """
    name = _clean_name(name)
    slug = slug if slug is not None else _slug_of(name)
    if not re.fullmatch(r"[a-z][a-z0-9-]{0,63}", slug):
        raise Invalid("a slug begins with a letter and has lower-case letters, digits and -", "slug")
    if store.by_slug(connection, slug) is not None:
        raise Conflict(f"there is an organization {slug} already")
    made = store.add(connection, slug, name, account_id, now_ms)
    store.add_member(connection, made.id, account_id, Role.ADMINISTRATOR, now_ms)
    return made


def add_administrator(connection: Connection, email: str, password_hash: str, organization: str, now_ms: int) -> str:
    """Makes an account that administers an organization, which is made if there is none of this name.

    For whoever runs the server: it asks nobody. Returns the account's first access token.

    Raises:
        Invalid: not an address, or not a name.
        Conflict: the address has an account already.
    """
    account_id, token = accounts.create_account(connection, email, password_hash, now_ms)
    name = _clean_name(organization)
    existing = store.by_slug(connection, _slug_of(name))
    if existing is None:
        create(connection, name, account_id, now_ms)
    else:
        store.add_member(connection, existing.id, account_id, Role.ADMINISTRATOR, now_ms)
        if existing.owner_id is None:
            store.set_owner(connection, existing.id, account_id)
    return token


def rename(connection: Connection, organization: Organization, name: str) -> Organization:
    """Its slug stays. Raises Invalid."""
    name = _clean_name(name)
    store.rename(connection, organization.id, name)
    return replace(organization, name=name)


def invite(connection: Connection, organization: Organization, email: str, role: Role, by: str, now_ms: int) -> str:
    """Lets whoever has the address join; a second invitation takes the place of the first. Returns the address.

    Raises:
        Invalid: not an address.
        LimitReached: the team has as many as it may.
        Conflict: a member already, or too many invitations are open.
    """
    email = clean_email(email)
    if store.member(connection, organization.id, email) is not None:
        raise Conflict(f"{email} is in the team already")
    store.end_invitation(connection, organization.id, email)
    if len(store.invitations_of(connection, organization.id)) >= INVITATIONS_MAX:
        raise Conflict(f"{INVITATIONS_MAX} invitations are open: withdraw some first")
    store.add_invitation(connection, organization.id, email, role, by, now_ms)
    limits.check_seats(connection, organization.id)
    return email


def answer(connection: Connection, account: Account, slug: str, accepts: bool, address: str, now_ms: int) -> Invitation:
    """Accepts or declines an invitation to the account's address, and says so in the audit log. Raises NotFound."""
    open_ones = store.invitations_to(connection, account.email)
    invitation = next((one for one in open_ones if one.organization.slug == slug), None)
    if invitation is None:
        raise NotFound(f"there is no invitation of {slug} to {account.email}")
    organization_id = invitation.organization.id
    store.end_invitation(connection, organization_id, account.email)
    if accepts:
        store.add_member(connection, organization_id, account.id, invitation.role, now_ms)
    action = "invitation.accept" if accepts else "invitation.decline"
    entry = Entry(now_ms, account.id, organization_id, address, action, account.email, invitation.role.value)
    audit.add(connection, entry)
    return invitation


def set_role(connection: Connection, organization: Organization, email: str, role: Role) -> None:
    """Changes a member's role.

    Raises:
        NotFound: no such member.
        Conflict: it is the owner.
    """
    found = _member(connection, organization, email)
    if role is not Role.ADMINISTRATOR:
        _check_not_owner(connection, organization, found)
    store.set_role(connection, organization.id, found.account_id, role)


def remove(connection: Connection, organization: Organization, email: str) -> None:
    """Takes a member or an API user out of the team, or withdraws an invitation.

    Raises:
        NotFound: neither member nor invited.
        Conflict: it is the owner.
    """
    email = normal_email(email)
    if any(one.email == email for one in store.invitations_of(connection, organization.id)):
        store.end_invitation(connection, organization.id, email)
        return
    program = api_users.find(connection, organization, email)
    if program is not None:
        api_users.remove(connection, program)
        return
    found = _member(connection, organization, email)
    _check_not_owner(connection, organization, found)
    store.remove_member(connection, organization.id, found.account_id)


def transfer(connection: Connection, organization: Organization, account: Account, email: str) -> Organization:
    """Makes another administrator the owner; the account, which was it, stays administrator.

    Raises:
        Forbidden: the account is not the owner.
        NotFound: no such member.
        Conflict: the member is no administrator.
    """
    check_owner(organization, account)
    found = _member(connection, organization, email)
    if found.role is not Role.ADMINISTRATOR:
        raise Conflict(f"{found.email} is {found.role.label}: make them administrator first")
    store.set_owner(connection, organization.id, found.account_id)
    return replace(organization, owner_id=found.account_id)


def check_owner(organization: Organization, account: Account) -> None:
    """Raises Forbidden for everybody else."""
    if account.id != organization.owner_id:
        raise Forbidden(f"only the owner of {organization.name} can give it to somebody else")


def leave_all(connection: Connection, account: Account, address: str, now_ms: int) -> None:
    """Takes an account out of all its teams. An organization that it leaves empty has no open invitations any more.

    Raises:
        Conflict: it owns an organization with products or other members.
    """
    for organization, _ in store.of_account(connection, account.id):
        alone = len(store.members_of(connection, organization.id)) == 1
        if not alone or products.of_organizations(connection, [organization.id]):
            remove(connection, organization, account.email)
            entry = Entry(now_ms, account.id, organization.id, address, "team.remove", account.email, "account deleted")
            audit.add(connection, entry)
            continue
        for invitation in store.invitations_of(connection, organization.id):
            store.end_invitation(connection, organization.id, invitation.email)
        store.set_owner(connection, organization.id, None)
        store.remove_member(connection, organization.id, account.id)


def _member(connection: Connection, organization: Organization, email: str) -> Member:
    found = store.member(connection, organization.id, normal_email(email))
    if found is None:
        raise NotFound(f"{email} is not in the team of {organization.name}")
    return found


def _check_not_owner(connection: Connection, organization: Organization, found: Member) -> None:
    """The owner is an administrator at all times, and so there always is one."""
    if found.account_id != organization.owner_id:
        return
    if store.administrators(connection, organization.id) == 1:
        raise Conflict(f"{found.email} is the last administrator: make another member administrator and owner first")
    raise Conflict(f"{found.email} owns {organization.name}: give it to another administrator first")


def _slug_of(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:64]


def _clean_name(name: str) -> str:
    name = name.strip()
    if not 1 <= len(name) <= 100 or not name.isprintable():
        raise Invalid("a name has 1 to 100 characters", "name")
    return name
