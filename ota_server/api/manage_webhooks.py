# SPDX-License-Identifier: Apache-2.0
"""Webhooks: of a product, and of an organization as a whole."""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel
from sqlalchemy import Connection

from ota_server.api import views
from ota_server.api.body import read_fields
from ota_server.api.context import ActorDep, ServicesDep, act, product_for
from ota_server.errors import Invalid
from ota_server.organizations.access import Actor
from ota_server.organizations.models import Organization
from ota_server.organizations.roles import Permission
from ota_server.services import Services
from ota_server.webhooks import service, store
from ota_server.webhooks.courier import LOG_MAX
from ota_server.webhooks.hook import Hook
from ota_server.webhooks.models import Webhook
from ota_server.webhooks.service import Owner

router = APIRouter()

Org = Annotated[str | None, Query(max_length=64)]
Texts = dict[str, str]


class NewWebhook(BaseModel):
    """Particle's fields. `rejectUnauthorized: false` is refused: certificates are always checked."""

    model_config = ConfigDict(alias_generator=to_camel)

    event: str
    url: str
    device_id: str | None = None
    request_type: str = "POST"
    auth: Texts = Field(default_factory=dict)
    headers: Texts = Field(default_factory=dict)
    query: Texts = Field(default_factory=dict)
    form: Texts = Field(default_factory=dict)
    json_: Annotated[dict[str, object] | str | None, Field(alias="json")] = None
    body: str | None = None
    response_template: str | None = None
    response_topic: str | None = None
    error_response_topic: str | None = None
    reject_unauthorized: bool = True
    no_defaults: bool = False

    def hook(self) -> Hook:
        """Raises Invalid."""
        if not self.reject_unauthorized:
            raise Invalid("certificates are always checked", "rejectUnauthorized")
        return Hook(
            url=self.url,
            method=self.request_type.upper(),
            auth=self.auth,
            headers=self.headers,
            query=self.query,
            form=self.form,
            json=self.json_,
            body=self.body,
            response_template=self.response_template,
            response_topic=self.response_topic,
            error_topic=self.error_response_topic,
            has_defaults=not self.no_defaults,
        )


@router.get("/webhooks")
def list_webhooks(services: ServicesDep, actor: ActorDep, org: Org = None) -> list[views.Json]:
    """Webhooks of the account's organization, or of the one that `org` names, which hear all its products."""
    return _list(services, _organization(actor, org))


@router.get("/products/{product}/webhooks")
def list_product_webhooks(product: str, services: ServicesDep, actor: ActorDep) -> list[views.Json]:
    """Webhooks of a product."""
    return _list(services, product_for(services, actor, product, Permission.MANAGE_PRODUCTS))


@router.post("/webhooks")
async def create_webhook(request: Request, services: ServicesDep, actor: ActorDep, org: Org = None) -> views.Json:
    """Makes a webhook of the account's organization. The answer tells the secret that it signs with, this once."""
    body = await read_fields(request, NewWebhook)
    return await asyncio.to_thread(_create, services, actor, _organization(actor, org), body)


@router.post("/products/{product}/webhooks")
async def create_product_webhook(product: str, request: Request, services: ServicesDep, actor: ActorDep) -> views.Json:
    """Makes a webhook of a product."""
    body = await read_fields(request, NewWebhook)
    owner = await asyncio.to_thread(product_for, services, actor, product, Permission.MANAGE_PRODUCTS)
    return await asyncio.to_thread(_create, services, actor, owner, body)


@router.get("/webhooks/{webhook}")
def get_webhook(webhook: str, services: ServicesDep, actor: ActorDep, org: Org = None) -> views.Json:
    """A webhook with its last deliveries."""
    return _show(services, _organization(actor, org), webhook)


@router.get("/products/{product}/webhooks/{webhook}")
def get_product_webhook(product: str, webhook: str, services: ServicesDep, actor: ActorDep) -> views.Json:
    """The same, of a product."""
    return _show(services, product_for(services, actor, product, Permission.MANAGE_PRODUCTS), webhook)


@router.post("/webhooks/{webhook}/enable")
def enable_webhook(webhook: str, services: ServicesDep, actor: ActorDep, org: Org = None) -> views.Json:
    """Switches a webhook on again that failed too often."""
    return _enable(services, actor, _organization(actor, org), webhook)


@router.post("/products/{product}/webhooks/{webhook}/enable")
def enable_product_webhook(product: str, webhook: str, services: ServicesDep, actor: ActorDep) -> views.Json:
    """The same, of a product."""
    return _enable(services, actor, product_for(services, actor, product, Permission.MANAGE_PRODUCTS), webhook)


@router.delete("/webhooks/{webhook}")
def delete_webhook(webhook: str, services: ServicesDep, actor: ActorDep, org: Org = None) -> views.Json:
    """Removes a webhook, and what waits for it."""
    return _delete(services, actor, _organization(actor, org), webhook)


@router.delete("/products/{product}/webhooks/{webhook}")
def delete_product_webhook(product: str, webhook: str, services: ServicesDep, actor: ActorDep) -> views.Json:
    """The same, of a product."""
    return _delete(services, actor, product_for(services, actor, product, Permission.MANAGE_PRODUCTS), webhook)


def _organization(actor: Actor, org: str | None) -> Organization:
    needed = Permission.MANAGE_PRODUCTS
    return actor.only_organization(needed) if org is None else actor.organization(org, needed)


def _list(services: Services, owner: Owner) -> list[views.Json]:
    with services.database.read() as connection:
        return [views.webhook(one) for one in service.list_all(connection, owner)]


def _create(services: Services, actor: Actor, owner: Owner, body: NewWebhook) -> views.Json:
    hook = body.hook()
    made: Webhook = act(
        services,
        actor,
        "webhook.create",
        body.event,
        lambda connection, now_ms: service.create(connection, owner, body.event, body.device_id, hook, now_ms),
        owner,
    )
    return views.webhook(made, made.secret)


def _show(services: Services, owner: Owner, webhook: str) -> views.Json:
    with services.database.read() as connection:
        found = service.find(connection, owner, webhook)
        deliveries = store.log(connection, found.id, LOG_MAX)
    return {**views.webhook(found), "deliveries": [views.delivery(one) for one in deliveries]}


def _enable(services: Services, actor: Actor, owner: Owner, webhook: str) -> views.Json:
    def write(connection: Connection, _now_ms: int) -> Webhook:
        return service.switch_on(connection, owner, webhook)

    return views.webhook(act(services, actor, "webhook.enable", webhook, write, owner))


def _delete(services: Services, actor: Actor, owner: Owner, webhook: str) -> views.Json:
    def write(connection: Connection, _now_ms: int) -> None:
        service.remove(connection, owner, webhook)

    act(services, actor, "webhook.delete", webhook, write, owner)
    return {"ok": True}
