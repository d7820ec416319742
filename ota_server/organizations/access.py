# SPDX-License-Identifier: Apache-2.0
"""The one query layer of people: what it does not hand out cannot be named.

Products and organizations are looked up here, among those of the actor's organizations only. Devices, releases and
rollouts are looked up in a product that came from here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Connection

from ota_server.accounts import store as accounts_store
from ota_server.accounts.models import Account, Token
from ota_server.customers import store as customers_store
from ota_server.customers.models import Customer
from ota_server.errors import Forbidden, Invalid, NotFound, Unauthorized
from ota_server.organizations import api_users, store
from ota_server.organizations.models import Organization
from ota_server.organizations.roles import OF_PRODUCTS, PERMISSIONS, Permission, Role, parse_scopes
from ota_server.products import store as products_store
from ota_server.products.models import Product, Reprogrammers

OWN_ONLY = "a customer has to do with their own devices only"


@dataclass(frozen=True, slots=True)
class Actor:
    """Who asks.

    Attributes:
        account: whose token or sign-in came with the request.
        organizations: those that can be reached with it, by id.
        roles: the account's role in each; an API user has none.
        permissions: what may be done in each: the role's and the token's, whichever is less.
        token: the access token that came with the request; None for a sign-in.
        address: where the request came from.
    """

    account: Account
    organizations: Mapping[int, Organization]
    roles: Mapping[int, Role]
    permissions: Mapping[int, frozenset[Permission]]
    token: Token | None = None
    address: str = ""

    @property
    def email(self) -> str:
        return self.account.email

    @property
    def key(self) -> str:
        """What tells actors apart where they are counted."""
        return f"account {self.account.id}"

    @property
    def is_limited(self) -> bool:
        """Whether a token came that is not good for all that its account may do."""
        return self.token is not None and (self.token.scopes is not None or self.token.product_id is not None)

    def may(self, organization_id: int, permission: Permission) -> bool:
        """Whether this is allowed there."""
        return permission in self.permissions.get(organization_id, frozenset())

    def check_unlimited(self) -> None:
        """Raises Forbidden for a limited token: what concerns the account itself is for its owner."""
        if self.is_limited:
            raise Forbidden("this token has scopes: what concerns the account itself needs one without")

    def check_hands_out(self, organization_id: int, permissions: frozenset[Permission]) -> None:
        """Raises Forbidden for who would give others more than they have."""
        missing = permissions - self.permissions.get(organization_id, frozenset())
        if missing:
            raise Forbidden(f"you cannot hand out what you may not do: {', '.join(sorted(missing))}")

    def organization(self, slug: str, permission: Permission) -> Organization:
        """One of the account's organizations.

        Raises:
            NotFound: the account is in no such organization, whether there is one or not.
            Forbidden: its role or token does not allow this.
        """
        found = next((one for one in self.organizations.values() if one.slug == slug), None)
        if found is None:
            raise NotFound(f"there is no organization {slug}")
        self._check_all_products()
        self._check(found.id, permission)
        return found

    def only_organization(self, permission: Permission) -> Organization:
        """The account's organization, where it has just one that allows this.

        Raises:
            Forbidden: there is none.
            Invalid: there are several.
        """
        self._check_all_products()
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
            Forbidden: the account's role or token does not allow this.
        """
        found = products_store.find(connection, name, self.organizations)
        if found is None or self._only_product not in (None, found.id):
            raise NotFound(f"there is no product {name}")
        self._check(found.organization_id, permission)
        is_reserved = permission is Permission.CONTROL_FIRMWARE and found.reprogrammers is Reprogrammers.ADMINISTRATORS
        if is_reserved and self.roles.get(found.organization_id) is not Role.ADMINISTRATOR:
            raise Forbidden(f"only administrators decide what devices of {found.name} run")
        return found

    def products(self, connection: Connection, permission: Permission | None = Permission.VIEW) -> list[Product]:
        """All products of the account's organizations with which this may be done; None for all there are."""
        seen = [key for key in self.organizations if permission is None or self.may(key, permission)]
        found = products_store.of_organizations(connection, seen)
        return [one for one in found if self._only_product in (None, one.id)]

    def whole_organizations(self, permission: Permission) -> frozenset[int]:
        """Organizations in which this may be done with everything; none for a token of one product."""
        if self._only_product is not None:
            return frozenset()
        return frozenset(key for key in self.organizations if self.may(key, permission))

    @property
    def _only_product(self) -> int | None:
        return None if self.token is None else self.token.product_id

    def _check_all_products(self) -> None:
        if self._only_product is not None:
            raise Forbidden("this token is for one product only")

    def product_to_own(self, connection: Connection, name: str) -> Product:
        """A product of the account's organizations, or one that it is a customer of.

        Raises:
            Forbidden: the token is limited.
            NotFound: there is no such product.
        """
        self.check_unlimited()
        found = products_store.find(connection, name, self.organizations)
        if found is None:
            ids = [one.product_id for one in self.customers(connection)]
            found = products_store.find_among(connection, name, ids)
        if found is None:
            raise NotFound(f"there is no product {name}")
        return found

    def customers(self, connection: Connection) -> list[Customer]:
        """What the account is a customer of: it owns their devices. A limited token has nothing to do with them."""
        return [] if self.is_limited else customers_store.of_account(connection, self.account.id)

    def _check(self, organization_id: int, permission: Permission) -> None:
        if self.may(organization_id, permission):
            return
        role = self.roles.get(organization_id)
        if role is None or permission in PERMISSIONS[role]:
            raise Forbidden(f"this token lacks the scope {permission}")
        needed = [one.label for one in Role if permission in PERMISSIONS[one]]
        raise Forbidden(f"your role is {role.label}; this needs {' or '.join(needed)}")


@dataclass(frozen=True, slots=True)
class CustomerActor:
    """A customer of one product who asks: for their own devices, and nothing else.

    Attributes:
        token: the access token that came with the request; None for a sign-in on the product's pages.
    """

    customer: Customer
    of_product: Product
    token: Token | None = None
    address: str = ""

    @property
    def email(self) -> str:
        return self.customer.email

    @property
    def organizations(self) -> Mapping[int, Organization]:
        """None: a customer is in no team."""
        return {}

    def may(self, _organization_id: int, _permission: Permission) -> bool:
        return False

    @property
    def key(self) -> str:
        """What tells actors apart where they are counted."""
        return f"customer {self.customer.id}"

    def organization(self, _slug: str, _permission: Permission) -> Organization:
        """Raises Forbidden."""
        raise Forbidden(OWN_ONLY)

    def product(self, _connection: Connection, _name: str, _permission: Permission) -> Product:
        """Raises Forbidden."""
        raise Forbidden(OWN_ONLY)

    def whole_organizations(self, _permission: Permission) -> frozenset[int]:
        return frozenset()

    def check_unlimited(self) -> None:
        """A customer's token is good for all that the customer may do."""

    def customers(self, _connection: Connection) -> list[Customer]:
        return [self.customer]

    def products(self, _connection: Connection, _permission: Permission | None = None) -> list[Product]:
        return []

    def product_to_own(self, _connection: Connection, name: str) -> Product:
        """Raises NotFound for any but the customer's own."""
        if name not in (self.of_product.slug, str(self.of_product.id)):
            raise NotFound(f"there is no product {name}")
        return self.of_product


Owner = Actor | CustomerActor
"""Who may own devices."""


def actor_of(connection: Connection, account: Account, address: str, token: Token | None = None) -> Actor:
    """The account, with its organizations and what it may do there as it is now."""
    found = store.of_account(connection, account.id)
    organizations, roles = {one.id: one for one, _ in found}, {one.id: role for one, role in found}
    permissions = {key: PERMISSIONS[role] for key, role in roles.items()}
    if not found:
        organization = api_users.organization_of(connection, account.id)
        if organization is not None:
            organizations, permissions = {organization.id: organization}, {organization.id: frozenset(Permission)}
    if token is not None and token.scopes is not None:
        scopes = parse_scopes(token.scopes.split())
        permissions = {key: allowed & scopes for key, allowed in permissions.items()}
    if token is not None and token.product_id is not None:
        product = products_store.get(connection, token.product_id)
        owner = None if product is None else product.organization_id
        organizations = {key: one for key, one in organizations.items() if key == owner}
        permissions = {key: permissions[key] & OF_PRODUCTS for key in organizations}
    return Actor(account, organizations, roles, permissions, token, address)


def check_still(connection: Connection, actor: Owner, organization_id: int | None, now_ms: int) -> None:
    """Holds what was true when a request arrived against what is true in its write.

    Raises:
        Unauthorized: its token has ended.
        Forbidden: the actor may do less in the organization by now.
    """
    if actor.token is not None and not accounts_store.has_token(connection, actor.token.id, now_ms):
        raise Unauthorized("this access token is not valid any more")
    if organization_id is None or isinstance(actor, CustomerActor):
        return
    now = actor_of(connection, actor.account, actor.address, actor.token)
    before = actor.permissions.get(organization_id, frozenset())
    if not before <= now.permissions.get(organization_id, frozenset()):
        raise Forbidden("what you may do here has just been changed: nothing was done")
