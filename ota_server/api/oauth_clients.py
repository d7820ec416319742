# SPDX-License-Identifier: Apache-2.0
"""What is done with OAuth clients, by the API and on pages: each is checked against what its actor may, and audited.

Clients are a product's, or with no product the actor's own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection

from ota_server.api.context import act
from ota_server.oauth import clients, store
from ota_server.oauth.clients import NewClient, Owner
from ota_server.oauth.models import Client, ClientScope
from ota_server.organizations.access import Actor
from ota_server.organizations.roles import OF_PRODUCTS
from ota_server.products.models import Product
from ota_server.services import Services


def all_of(connection: Connection, actor: Actor, product: Product | None) -> Sequence[Client]:
    """By name."""
    owner = _owner(actor, product)
    return store.clients_of(connection, owner.account_id, owner.product_id)


def get(connection: Connection, actor: Actor, product: Product | None, client_id: str) -> Client:
    """Raises NotFound."""
    return clients.get(connection, _owner(actor, product), client_id)


def may_act_as_maker(actor: Actor, product: Product | None) -> bool:
    """Whether the actor may have clients that do all that concerns the product."""
    return product is None or all(actor.may(product.organization_id, one) for one in OF_PRODUCTS)


def create(services: Services, actor: Actor, product: Product | None, new: NewClient) -> tuple[Client, str]:
    """Makes a client, and its secret, which is told only here. Raises Forbidden, Invalid, Conflict."""
    _check_scope(actor, product, new.scope)
    return act(
        services,
        actor,
        "client.create",
        new.name,
        lambda connection, now_ms: clients.create(connection, _owner(actor, product), new, now_ms),
        product,
        f"{new.type.value} {new.scope.value}",
    )


def change(
    services: Services, actor: Actor, product: Product | None, client_id: str, changes: Mapping[str, Any]
) -> Client:
    """Sets name, redirect_uri or scope. Raises Forbidden, NotFound, Invalid."""
    _check_scope(actor, product, changes.get("scope"))
    return act(
        services,
        actor,
        "client.change",
        client_id,
        lambda connection, _now_ms: clients.change(connection, _owner(actor, product), client_id, changes),
        product,
        ", ".join(f"{key}={value}" for key, value in changes.items()),
    )


def renew_secret(services: Services, actor: Actor, product: Product | None, client_id: str) -> tuple[Client, str]:
    """Another secret, which is told only here.

    Raises:
        Forbidden: the client may do more than the actor, who would do it with the secret.
        NotFound: there is no such client.
    """
    owner = _owner(actor, product)

    def write(connection: Connection, _now_ms: int) -> tuple[Client, str]:
        found = clients.get(connection, owner, client_id)
        _check_scope(actor, product, found.scope)
        return found, clients.renew_secret(connection, owner, client_id)

    return act(services, actor, "client.renew_secret", client_id, write, product)


def remove(services: Services, actor: Actor, product: Product | None, client_id: str) -> None:
    """Raises NotFound."""
    act(
        services,
        actor,
        "client.remove",
        client_id,
        lambda connection, _now_ms: clients.remove(connection, _owner(actor, product), client_id),
        product,
    )


def _owner(actor: Actor, product: Product | None) -> Owner:
    return Owner(actor.account.id, None if product is None else product.id)


def _check_scope(actor: Actor, product: Product | None, scope: ClientScope | None) -> None:
    """A product's client that acts as its maker may do all that concerns the product. Raises Forbidden."""
    if product is not None and scope is ClientScope.ALL:
        actor.check_hands_out(product.organization_id, OF_PRODUCTS)
