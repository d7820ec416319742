# SPDX-License-Identifier: Apache-2.0
"""OAuth clients in the management API: a product's, and the account's own."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, Field
from starlette.responses import Response

from ota_server.api import views
from ota_server.api.context import ActorDep, PersonDep, ServicesDep, act, product_for
from ota_server.oauth import clients, store
from ota_server.oauth.clients import NewClient, Owner
from ota_server.oauth.models import ClientScope, ClientType
from ota_server.organizations.access import Actor
from ota_server.organizations.roles import OF_PRODUCTS, Permission
from ota_server.products.models import Product
from ota_server.services import Services

router = APIRouter()

Text = Annotated[str, Field(max_length=clients.REDIRECT_URI_MAX)]


class ClientBody(BaseModel):
    """A client to be made. Without `scope` it may do all that whoever makes it may."""

    name: Text
    type: ClientType
    redirect_uri: Text | None = None
    scope: ClientScope | None = None


class ClientChanges(BaseModel):
    """What is left out stays as it is."""

    name: Text | None = None
    redirect_uri: Text | None = None
    scope: ClientScope | None = None


@router.get("/clients")
def list_own_clients(services: ServicesDep, actor: PersonDep) -> views.Json:
    """The account's own clients."""
    return _list(services, actor, None)


@router.post("/clients", status_code=201)
def create_own_client(body: ClientBody, services: ServicesDep, actor: PersonDep) -> views.Json:
    """Makes a client of the account; its secret is told only here."""
    return _create(services, actor, None, body)


@router.put("/clients/{client}")
def change_own_client(client: str, body: ClientChanges, services: ServicesDep, actor: PersonDep) -> views.Json:
    """Sets name, redirect URI or scope."""
    return _change(services, actor, None, client, body)


@router.delete("/clients/{client}", status_code=204)
def remove_own_client(client: str, services: ServicesDep, actor: PersonDep) -> Response:
    """Removes a client."""
    return _remove(services, actor, None, client)


@router.get("/products/{product}/clients")
def list_clients(product: str, services: ServicesDep, actor: ActorDep) -> views.Json:
    """The product's clients."""
    return _list(services, actor, product_for(services, actor, product, Permission.VIEW))


@router.post("/products/{product}/clients", status_code=201)
def create_client(product: str, body: ClientBody, services: ServicesDep, actor: ActorDep) -> views.Json:
    """Makes a client of the product; its secret is told only here."""
    return _create(services, actor, product_for(services, actor, product, Permission.MANAGE_PRODUCTS), body)


@router.put("/products/{product}/clients/{client}")
def change_client(product: str, client: str, body: ClientChanges, services: ServicesDep, actor: ActorDep) -> views.Json:
    """Sets name, redirect URI or scope."""
    return _change(services, actor, product_for(services, actor, product, Permission.MANAGE_PRODUCTS), client, body)


@router.delete("/products/{product}/clients/{client}", status_code=204)
def remove_client(product: str, client: str, services: ServicesDep, actor: ActorDep) -> Response:
    """Removes a client."""
    return _remove(services, actor, product_for(services, actor, product, Permission.MANAGE_PRODUCTS), client)


def _owner(actor: Actor, product: Product | None) -> Owner:
    return Owner(actor.account.id, None if product is None else product.id)


def _check_scope(actor: Actor, product: Product | None, scope: ClientScope | None) -> None:
    """A product's client that acts as its maker may do all that concerns the product. Raises Forbidden."""
    if product is not None and scope is ClientScope.ALL:
        actor.check_hands_out(product.organization_id, OF_PRODUCTS)


def _list(services: Services, actor: Actor, product: Product | None) -> views.Json:
    owner = _owner(actor, product)
    with services.database.read() as connection:
        found = store.clients_of(connection, owner.account_id, owner.product_id)
    return {"ok": True, "clients": [views.client(one) for one in found]}


def _create(services: Services, actor: Actor, product: Product | None, body: ClientBody) -> views.Json:
    new = NewClient(body.name, body.type, body.redirect_uri, body.scope or ClientScope.ALL)
    _check_scope(actor, product, new.scope)
    made, secret = act(
        services,
        actor,
        "client.create",
        body.name,
        lambda connection, now_ms: clients.create(connection, _owner(actor, product), new, now_ms),
        product,
        f"{new.type.value} {new.scope.value}",
    )
    return {"ok": True, "client": {**views.client(made), "secret": secret}}


def _change(services: Services, actor: Actor, product: Product | None, client: str, body: ClientChanges) -> views.Json:
    changes = body.model_dump(exclude_none=True)
    _check_scope(actor, product, body.scope)
    changed = act(
        services,
        actor,
        "client.change",
        client,
        lambda connection, _now_ms: clients.change(connection, _owner(actor, product), client, changes),
        product,
        ", ".join(f"{key}={value}" for key, value in changes.items()),
    )
    return {"ok": True, "client": views.client(changed)}


def _remove(services: Services, actor: Actor, product: Product | None, client: str) -> Response:
    act(
        services,
        actor,
        "client.remove",
        client,
        lambda connection, _now_ms: clients.remove(connection, _owner(actor, product), client),
        product,
    )
    return Response(status_code=204)
