# SPDX-License-Identifier: Apache-2.0
"""The one query layer of people: what it does not hand out cannot be named.

Products and organizations are looked up here, among those of the actor's organizations only. Devices, releases and
rollouts are looked up in a product that came from here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Connection

from ota_server.accounts.models import Account, Token
from ota_server.customers import store as customers_store
from ota_server.customers.models import Customer
from ota_server.errors import Forbidden, Invalid, NotFound
from ota_server.organizations import store
from ota_server.organizations.models import Organization
from ota_server.organizations.roles import PERMISSIONS, Permission, Role
from ota_server.products import store as products_store
from ota_server.products.models import Product


@dataclass(frozen=True, slots=True)
class Actor:
    """Who asks.

    Attributes:
        account: whose token or sign-in came with the request.
        organizations: the account's organizations, by id.
        roles: its role in each.
        token: the access token that came with the request; None for a sign-in.
        address: where the request came from.
    """

    account: Account
    organizations: Mapping[int, Organization]
    roles: Mapping[int, Role]
    token: Token | None = None
    address: str = ""

    @property
    def email(self) -> str:
        return self.account.email

    def may(self, organization_id: int, permission: Permission) -> bool:
        """Whether the account's role there allows it."""
        role = self.roles.get(organization_id)
        return role is not None and permission in PERMISSIONS[role]

    def organization(self, slug: str, permission: Permission) -> Organization:
        """One of the account's organizations.

        Raises:
            NotFound: the account is in no such organization, whether there is one or not.
            Forbidden: its role does not allow this.
        """
        found = next((one for one in self.organizations.values() if one.slug == slug), None)
        if found is None:
            raise NotFound(f"there is no organization {slug}")
        self._check(found.id, permission)
        return found

    def only_organization(self, permission: Permission) -> Organization:
        """The account's organization, where it has just one that allows this.

        Raises:
            Forbidden: there is none.
            Invalid: there are several.
        """
        found = [one for key, one in self.organizations.items() if self.may(key, permission)]
        if not found:
            raise Forbidden("none of your organizations lets you do this")
        if len(found) > 1:
            raise Invalid(f"say which organization: {', '.join(one.slug for one in found)}", "org")
        return found[0]

    def product(self, connection: Connection, name: str, permission: Permission) -> Product:
        """A product of the account's organizations, by id or slug.

        Raises:
            NotFound: they have no such product, whether others have one or not.
            Forbidden: the account's role does not allow this.
        """
        found = products_store.find(connection, name, self.organizations)
        if found is None:
            raise NotFound(f"there is no product {name}")
        self._check(found.organization_id, permission)
        return found

    def products(self, connection: Connection) -> list[Product]:
        """All products of the account's organizations."""
        return products_store.of_organizations(connection, self.organizations)

    def product_to_own(self, connection: Connection, name: str) -> Product:
        """A product of the account's organizations, or one that it is a customer of. Raises NotFound."""
        found = products_store.find(connection, name, self.organizations)
        if found is None:
            ids = [one.product_id for one in self.customers(connection)]
            found = products_store.find_among(connection, name, ids)
        if found is None:
            raise NotFound(f"there is no product {name}")
        return found

    def customers(self, connection: Connection) -> list[Customer]:
        """What the account is a customer of: it owns their devices."""
        return customers_store.of_account(connection, self.account.id)

    def _check(self, organization_id: int, permission: Permission) -> None:
        if not self.may(organization_id, permission):
            needed = [role.label for role in Role if permission in PERMISSIONS[role]]
            role = self.roles[organization_id].label
            raise Forbidden(f"your role is {role}; this needs {' or '.join(needed)}")


def actor_of(connection: Connection, account: Account, address: str, token: Token | None = None) -> Actor:
    """The account with its organizations as they are now."""
    found = store.of_account(connection, account.id)
    return Actor(account, {one.id: one for one, _ in found}, {one.id: role for one, role in found}, token, address)
