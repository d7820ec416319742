# SPDX-License-Identifier: Apache-2.0
"""Publishing events."""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field

from ota_server.api import views
from ota_server.api.body import read_fields
from ota_server.api.context import ActorDep, ServicesDep, act, product_for
from ota_server.organizations.access import Actor
from ota_server.organizations.models import Organization
from ota_server.organizations.roles import Permission
from ota_server.products.models import Product
from ota_server.services import Services
from ota_server.telemetry import events
from ota_server.telemetry.models import EventEntry, Source

router = APIRouter()

FROM_API = "api"
"""What stands for the device in events that people publish."""


class NewEvent(BaseModel):
    """An event. Particle's `private` is taken and means nothing: all events stay in their organization."""

    name: str
    data: str = ""
    ttl: Annotated[int, Field(ge=0, le=events.TTL_MAX_S)] = events.TTL_DEFAULT_S
    org: str | None = None


@router.post("/devices/events")
async def publish(request: Request, services: ServicesDep, actor: ActorDep) -> views.Json:
    """Publishes an event to the account's organization, or to the one that `org` names."""
    body = await read_fields(request, NewEvent)
    named = Permission.MANAGE_DEVICES
    owner = actor.only_organization(named) if body.org is None else actor.organization(body.org, named)
    source = Source(owner.id, None, None, FROM_API)
    return await asyncio.to_thread(_publish, services, actor, owner, source, body)


@router.post("/products/{product}/events")
async def publish_to_product(product: str, request: Request, services: ServicesDep, actor: ActorDep) -> views.Json:
    """Publishes an event of a product."""
    body = await read_fields(request, NewEvent)
    owner = await asyncio.to_thread(product_for, services, actor, product, Permission.MANAGE_DEVICES)
    source = Source(owner.organization_id, owner.id, None, FROM_API)
    return await asyncio.to_thread(_publish, services, actor, owner, source, body)


def _publish(
    services: Services, actor: Actor, owner: Product | Organization, source: Source, body: NewEvent
) -> views.Json:
    events.check(body.name, body.data, body.ttl)
    services.publish_rate.take(str(actor.account.id), services.clock.now_ms())
    act(
        services,
        actor,
        "event.publish",
        body.name,
        lambda connection, now_ms: events.publish(
            connection, source, [EventEntry(now_ms, body.name, body.data)], now_ms, body.ttl
        ),
        owner,
    )
    return {"ok": True}
