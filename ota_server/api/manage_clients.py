# SPDX-License-Identifier: Apache-2.0
"""OAuth clients in the management API: a product's, and the account's own."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, Field
from starlette.responses import Response

from ota_server.api import oauth_clients, views
from ota_server.api.context import ActorDep, PersonDep, ServicesDep, product_for
from ota_server.oauth.clients import REDIRECT_URI_MAX, NewClient
from ota_server.oauth.models import ClientScope, ClientType
from ota_server.organizations.access import Actor
from ota_server.organizations.roles import Permission
from ota_server.products.models import Product
from ota_server.services import Services

router = APIRouter()

Text = Annotated[str, Field(max_length=REDIRECT_URI_MAX)]


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
def list_registered(services: ServicesDep, actor: PersonDep) -> views.Json:
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


@router.put("/clients/{client}/secret")
def renew_own_secret(client: str, services: ServicesDep, actor: PersonDep) -> views.Json:
    """Gives a client another secret, which is told only here; the one until now ends, with tokens it alone got."""
    return _renew_secret(services, actor, None, client)


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


@router.put("/products/{product}/clients/{client}/secret")
def renew_secret(product: str, client: str, services: ServicesDep, actor: ActorDep) -> views.Json:
    """Gives a client another secret, which is told only here; the one until now ends, with tokens it alone got."""
    found = product_for(services, actor, product, Permission.MANAGE_PRODUCTS)
    return _renew_secret(services, actor, found, client)


@router.delete("/products/{product}/clients/{client}", status_code=204)
def remove_client(product: str, client: str, services: ServicesDep, actor: ActorDep) -> Response:
    """Removes a client."""
    return _remove(services, actor, product_for(services, actor, product, Permission.MANAGE_PRODUCTS), client)


def _list(services: Services, actor: Actor, product: Product | None) -> views.Json:
    with services.database.read() as connection:
        found = oauth_clients.all_of(connection, actor, product)
    return {"ok": True, "clients": [views.client(one) for one in found]}


def _create(services: Services, actor: Actor, product: Product | None, body: ClientBody) -> views.Json:
    new = NewClient(body.name, body.type, body.redirect_uri, body.scope or ClientScope.ALL)
    made, secret = oauth_clients.create(services, actor, product, new)
    return {"ok": True, "client": {**views.client(made), "secret": secret}}


def _change(services: Services, actor: Actor, product: Product | None, client: str, body: ClientChanges) -> views.Json:
    changed = oauth_clients.change(services, actor, product, client, body.model_dump(exclude_none=True))
    return {"ok": True, "client": views.client(changed)}


def _renew_secret(services: Services, actor: Actor, product: Product | None, client: str) -> views.Json:
    found, secret = oauth_clients.renew_secret(services, actor, product, client)
    return {"ok": True, "client": {**views.client(found), "secret": secret}}


def _remove(services: Services, actor: Actor, product: Product | None, client: str) -> Response:
    oauth_clients.remove(services, actor, product, client)
    return Response(status_code=204)
