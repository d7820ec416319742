# SPDX-License-Identifier: Apache-2.0
"""Streams of events."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Request
from starlette.responses import Response

from ota_server.api.context import ServicesDep, address_of, device_for, owner_of_token, product_for, services_of
from ota_server.api.event_stream import EventStream
from ota_server.devices import claims
from ota_server.errors import Unauthorized
from ota_server.organizations.access import Owner
from ota_server.organizations.roles import Permission
from ota_server.services import Services
from ota_server.telemetry import events
from ota_server.telemetry.streams import Scope

router = APIRouter(default_response_class=Response, responses={200: {"content": {"text/event-stream": {}}}})


class Listener:
    """Who wants to listen: the token may stand in the address, since browsers cannot send a header with a stream."""

    def __init__(self, request: Request) -> None:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            token = request.query_params.get("access_token", "")
        if not token:
            raise Unauthorized("send an access token: Authorization: Bearer TOKEN")
        self._token = token
        self._address = address_of(request)
        self._services = services_of(request)
        self.actor()

    def actor(self) -> Owner:
        """Who it is and what they may do, as of now. Raises Unauthorized."""
        return owner_of_token(self._services, self._token, self._address)

    async def listen(self, prefix: str, scope: Callable[[Owner], Scope]) -> Response:
        """A stream of what `scope` finds. Raises what it raises, and TooMany."""
        actor = await asyncio.to_thread(self.actor)
        found = await asyncio.to_thread(scope, actor)
        stream = await self._services.jobs.streams.open(actor.key, found, prefix)
        return EventStream(self._services.jobs.streams, stream, lambda: scope(self.actor()))


ListenerDep = Annotated[Listener, Depends(Listener)]
Prefix = Annotated[str, Path(max_length=events.NAME_MAX)]


@router.get("/events")
@router.get("/devices/events")
async def all_events(services: ServicesDep, listener: ListenerDep) -> Response:
    """Events of the account's organizations and of the devices that it owns."""
    return await listener.listen("", _everything(services))


@router.get("/events/{prefix:path}")
@router.get("/devices/events/{prefix:path}")
async def all_events_with_prefix(prefix: Prefix, services: ServicesDep, listener: ListenerDep) -> Response:
    """The same, those whose names begin with this."""
    return await listener.listen(prefix, _everything(services))


@router.get("/orgs/{organization}/events")
async def organization_events(organization: str, listener: ListenerDep) -> Response:
    """Events of an organization."""
    return await listener.listen("", _of_organization(organization))


@router.get("/orgs/{organization}/events/{prefix:path}")
async def organization_events_with_prefix(organization: str, prefix: Prefix, listener: ListenerDep) -> Response:
    """The same, those whose names begin with this."""
    return await listener.listen(prefix, _of_organization(organization))


@router.get("/products/{product}/events")
async def product_events(product: str, services: ServicesDep, listener: ListenerDep) -> Response:
    """Events of a product."""
    return await listener.listen("", _of_product(services, product))


@router.get("/products/{product}/events/{prefix:path}")
async def product_events_with_prefix(
    product: str, prefix: Prefix, services: ServicesDep, listener: ListenerDep
) -> Response:
    """The same, those whose names begin with this."""
    return await listener.listen(prefix, _of_product(services, product))


@router.get("/products/{product}/devices/{device}/events")
async def product_device_events(product: str, device: str, services: ServicesDep, listener: ListenerDep) -> Response:
    """Events of a product's device."""
    return await listener.listen("", _of_device(services, product, device))


@router.get("/products/{product}/devices/{device}/events/{prefix:path}")
async def product_device_events_with_prefix(
    product: str, device: str, prefix: Prefix, services: ServicesDep, listener: ListenerDep
) -> Response:
    """The same, those whose names begin with this."""
    return await listener.listen(prefix, _of_device(services, product, device))


@router.get("/devices/{device}/events")
async def device_events(device: str, services: ServicesDep, listener: ListenerDep) -> Response:
    """Events of a device that the account owns, or of one of its products'."""
    return await listener.listen("", _of_device(services, None, device))


@router.get("/devices/{device}/events/{prefix:path}")
async def device_events_with_prefix(
    device: str, prefix: Prefix, services: ServicesDep, listener: ListenerDep
) -> Response:
    """The same, those whose names begin with this."""
    return await listener.listen(prefix, _of_device(services, None, device))


def _everything(services: Services) -> Callable[[Owner], Scope]:
    def scope(actor: Owner) -> Scope:
        with services.database.read() as connection:
            rows = claims.own(connection, actor.customers(connection))
            products = actor.products(connection, Permission.VIEW_DEVICES)
        return Scope(
            actor.whole_organizations(Permission.VIEW_DEVICES),
            frozenset(one.id for one in products),
            frozenset(row.id for row in rows),
        )

    return scope


def _of_organization(name: str) -> Callable[[Owner], Scope]:
    return lambda actor: Scope(organizations=frozenset({actor.organization(name, Permission.VIEW_DEVICES).id}))


def _of_product(services: Services, name: str) -> Callable[[Owner], Scope]:
    return lambda actor: Scope(products=frozenset({product_for(services, actor, name, Permission.VIEW_DEVICES).id}))


def _of_device(services: Services, product: str | None, name: str) -> Callable[[Owner], Scope]:
    return lambda actor: Scope(
        device_rows=frozenset({device_for(services, actor, product, name, Permission.VIEW_DEVICES)[0].id})
    )
