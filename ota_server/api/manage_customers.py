# SPDX-License-Identifier: Apache-2.0
"""Customers of a product in the management API."""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import Connection
from starlette.responses import JSONResponse, Response

from ota_server.accounts.addresses import EMAIL_MAX
from ota_server.accounts.service import PASSWORD_MAX
from ota_server.api import views
from ota_server.api.context import (
    ActorDep,
    Page,
    PerPage,
    ServicesDep,
    act,
    address_of,
    check_actor,
    owner_of_token,
    product_for,
)
from ota_server.api.oauth.requests import TokenRequest, read_fields
from ota_server.api.oauth.sign_up import create_customer
from ota_server.customers import service, store
from ota_server.customers.models import Customer
from ota_server.devices import claims
from ota_server.devices.models import Device
from ota_server.organizations.roles import Permission
from ota_server.services import Services

router = APIRouter(prefix="/products/{product}/customers")


class PasswordBody(BaseModel):
    model_config = ConfigDict(extra="forbid")

    password: Annotated[str, Field(max_length=PASSWORD_MAX)]


@router.get("")
def list_customers(
    product: str,
    services: ServicesDep,
    actor: ActorDep,
    page: Page = 1,
    per_page: PerPage = 25,
    search: Annotated[str, Query(max_length=EMAIL_MAX)] = "",
) -> views.Json:
    """A page of the product's customers by address, with their devices. `search`: a part of the addresses."""
    with services.database.read() as connection:
        found = actor.product(connection, product, Permission.VIEW_CUSTOMERS)
        rows, total = store.of_product(connection, found.id, page, per_page, search)
        owned = claims.own(connection, rows)
    return {
        "customers": [views.customer(one) for one in rows],
        "devices": _devices(services, rows, owned),
        "meta": {"total_pages": max(1, -(-total // per_page)), "total_records": total},
    }


@router.get("/{email}")
def show_customer(product: str, email: str, services: ServicesDep, actor: ActorDep) -> views.Json:
    """One customer, with their devices."""
    with services.database.read() as connection:
        found = actor.product(connection, product, Permission.VIEW_CUSTOMERS)
        customer = service.find(connection, found, email)
        owned = claims.own(connection, [customer])
    return {"customer": views.customer(customer), "devices": _devices(services, [customer], owned)}


def _devices(services: Services, owners: list[Customer], owned: list[Device]) -> list[views.Json]:
    now_ms, emails = services.clock.now_ms(), {one.id: one.email for one in owners}
    return [views.own_device(row, now_ms, emails.get(row.customer_id or 0)) for row in owned]


@router.post("")
async def sign_up(product: str, request: Request, services: ServicesDep) -> Response:
    """Makes a customer. To a client, with its secret or from a browser, it also gives a token for them.

    `client_id`, `client_secret` (or HTTP Basic), `email`, and `password` or `no_password=true`; or, from a browser,
    `response_type=token` with `client_id`, `email` and `password`; or a team member's access token, `email` and,
    unless the customer is to have none, `password`.
    """
    fields = await read_fields(request)
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and "client_id" not in fields:
        return await asyncio.to_thread(_add, services, product, token, address_of(request), fields)
    return await asyncio.to_thread(create_customer, services, product, TokenRequest(request, fields))


def _add(services: Services, product: str, token: str, address: str, fields: dict[str, str]) -> Response:
    actor = check_actor(owner_of_token(services, token, address))
    found = product_for(services, actor, product, Permission.MANAGE_CUSTOMERS)
    password = fields.get("password")
    hashed = None if password is None else services.passwords.hash(password)
    made = act(
        services,
        actor,
        "customer.create",
        str(found.id),
        lambda connection, now_ms: service.add(connection, found, fields.get("email", ""), hashed, now_ms),
        found,
    )
    return JSONResponse({"ok": True, "customer": views.customer(made)}, 201)


@router.put("/{email}")
def set_password(product: str, email: str, body: PasswordBody, services: ServicesDep, actor: ActorDep) -> views.Json:
    """Gives a customer another password; all that they signed in with before ends."""
    found = product_for(services, actor, product, Permission.MANAGE_CUSTOMERS)
    hashed = services.passwords.hash(body.password)
    with services.database.read() as connection:
        customer = service.find(connection, found, email)

    def write(connection: Connection, _now_ms: int) -> None:
        service.set_password(connection, customer, hashed)

    act(services, actor, "customer.password", f"customer {customer.id}", write, found)
    return {"ok": True}


@router.delete("/{email}", status_code=204)
def remove_customer(product: str, email: str, services: ServicesDep, actor: ActorDep) -> Response:
    """Forgets a customer, with tokens and claim codes; their devices have no owner any more."""
    found = product_for(services, actor, product, Permission.MANAGE_CUSTOMERS)
    with services.database.read() as connection:
        customer = service.find(connection, found, email)

    def write(connection: Connection, now_ms: int) -> None:
        claims.remove_customer(connection, customer, actor.email, now_ms)

    act(services, actor, "customer.remove", f"customer {customer.id}", write, found)
    return Response(status_code=204)
