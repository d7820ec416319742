# SPDX-License-Identifier: Apache-2.0
"""API users: programs in a team. Each has an account that nobody signs in to, and one token with its scopes."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, fields

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Connection,
    ForeignKey,
    String,
    Table,
    Text,
    delete,
    insert,
    select,
)

from ota_server.accounts import service as accounts
from ota_server.accounts import store as accounts_store
from ota_server.accounts.addresses import normal_email
from ota_server.accounts.models import accounts as accounts_table
from ota_server.accounts.service import NewToken
from ota_server.errors import Conflict, Invalid, NotFound
from ota_server.organizations import store
from ota_server.organizations.models import Organization
from ota_server.organizations.roles import OF_PRODUCTS, Permission, parse_scopes, scopes_text
from ota_server.products.models import Product
from ota_server.storage.schema import metadata

API_USERS_MAX = 200
"""Of an organization."""
NO_PASSWORD = "-"  # noqa: S105
"""No hash: no password is right."""

api_users = Table(
    "api_users",
    metadata,
    Column("account_id", ForeignKey("accounts.id", ondelete="CASCADE"), primary_key=True),
    Column("organization_id", ForeignKey("organizations.id"), nullable=False, index=True),
    Column("product_id", ForeignKey("products.id", ondelete="CASCADE"), nullable=True),
    Column("name", String(100), nullable=False),
    Column("scopes", Text, nullable=False),
    Column("created_ms", BigInteger, nullable=False),
)


@dataclass(frozen=True, slots=True)
class ApiUser:
    """A program in a team.

    Attributes:
        username: what it is called in lists and in the audit log; nobody can have this address.
        product_id: the one product that it may touch; None for all of the organization's.
        scopes: as text; see `Token.scopes`.
    """

    username: str
    account_id: int
    organization_id: int
    product_id: int | None
    name: str
    scopes: str
    created_ms: int

    @property
    def permissions(self) -> frozenset[Permission]:
        return parse_scopes(self.scopes.split())


_COLUMNS = [api_users.c[field.name] for field in fields(ApiUser)[1:]]


def of_organization(connection: Connection, organization_id: int, product_id: int | None = None) -> list[ApiUser]:
    """An organization's, by name; with a product, only those that may touch it."""
    where = api_users.c.organization_id == organization_id
    if product_id is not None:
        where &= api_users.c.product_id.is_(None) | (api_users.c.product_id == product_id)
    return _read(connection, where)


def find(connection: Connection, organization: Organization, username: str) -> ApiUser | None:
    same = accounts_table.c.email == normal_email(username)
    return next(iter(_read(connection, (api_users.c.organization_id == organization.id) & same)), None)


def organization_of(connection: Connection, account_id: int) -> Organization | None:
    """Whose API user the account is; None for a person's account."""
    query = select(api_users.c.organization_id).where(api_users.c.account_id == account_id)
    found = connection.execute(query).scalar_one_or_none()
    return None if found is None else store.get(connection, found)


def create(
    connection: Connection,
    organization: Organization,
    product: Product | None,
    name: str,
    scopes: Iterable[Permission],
    now_ms: int,
) -> tuple[ApiUser, str]:
    """Makes an API user and its token, which is told only here.

    Raises:
        Invalid: no such name, no scope, or one that is not for a single product.
        Conflict: the organization has API_USERS_MAX of them.
    """
    name, wanted = name.strip(), frozenset(scopes)
    if not 1 <= len(name) <= 100 or not name.isprintable():
        raise Invalid("a name has 1 to 100 characters", "friendly_name")
    if not wanted:
        raise Invalid(f"say what it may do: scopes from {', '.join(Permission)}", "scopes")
    if product is not None and not wanted <= OF_PRODUCTS:
        only = ", ".join(sorted(wanted - OF_PRODUCTS))
        raise Invalid(f"{only}: only for an API user of the organization", "scopes")
    if len(of_organization(connection, organization.id)) >= API_USERS_MAX:
        raise Conflict(f"there are {API_USERS_MAX} API users: remove some first")
    words = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:40] or "api"
    username = f"{words}-{secrets.token_hex(3)}@{organization.slug}.invalid"
    made = ApiUser(
        username=username,
        account_id=accounts_store.add_account(connection, username, NO_PASSWORD, now_ms),
        organization_id=organization.id,
        product_id=None if product is None else product.id,
        name=name,
        scopes=scopes_text(wanted),
        created_ms=now_ms,
    )
    connection.execute(insert(api_users).values({column.name: getattr(made, column.name) for column in _COLUMNS}))
    return made, _new_token(connection, made, now_ms)


def rotate(connection: Connection, api_user: ApiUser, now_ms: int) -> str:
    """Ends its token and makes another, which is told only here."""
    accounts_store.end_tokens(connection, api_user.account_id)
    return _new_token(connection, api_user, now_ms)


def remove(connection: Connection, api_user: ApiUser) -> None:
    """Its account stays for what the audit log says of it; nothing opens it."""
    accounts_store.end_tokens(connection, api_user.account_id)
    connection.execute(delete(api_users).where(api_users.c.account_id == api_user.account_id))


def existing(connection: Connection, organization: Organization, username: str) -> ApiUser:
    """Raises NotFound."""
    found = find(connection, organization, username)
    if found is None:
        raise NotFound(f"{organization.name} has no API user {username}")
    return found


def _new_token(connection: Connection, api_user: ApiUser, now_ms: int) -> str:
    new = NewToken(api_user.name, scopes=api_user.scopes, product_id=api_user.product_id)
    return accounts.add_token(connection, api_user.account_id, new, now_ms)


def _read(connection: Connection, where: ColumnElement[bool]) -> list[ApiUser]:
    rows = connection.execute(
        select(accounts_table.c.email, *_COLUMNS)
        .join(accounts_table, accounts_table.c.id == api_users.c.account_id)
        .where(where)
        .order_by(api_users.c.name, api_users.c.account_id)
    )
    return [ApiUser(*row) for row in rows]
