# SPDX-License-Identifier: Apache-2.0
"""Groups in the management API."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict
from sqlalchemy import Connection
from starlette.responses import Response

from ota_server.api import views
from ota_server.api.context import ActorDep, ServicesDep, act, product_for
from ota_server.devices import groups
from ota_server.devices.models import Group
from ota_server.organizations.roles import Permission
from ota_server.products.models import Product
from ota_server.rollouts import cohorts

router = APIRouter(prefix="/products/{product}/groups")


class GroupBody(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: str
    description: str = ""
    color: str = ""


class GroupChanges(BaseModel):
    """What is left out stays as it is."""

    model_config = ConfigDict(extra="forbid")

    name: str | None = None
    description: str | None = None
    color: str | None = None


@router.get("")
def list_groups(
    product: str, services: ServicesDep, actor: ActorDep, name: Annotated[str, Query(max_length=64)] = ""
) -> views.Json:
    """Groups by name, each with the number of its devices; `name`: a part of it."""
    found = product_for(services, actor, product, Permission.VIEW)
    with services.database.read() as connection:
        return {"groups": [views.group(group, count) for group, count in groups.of_product(connection, found, name)]}


@router.post("", status_code=201)
def create_group(product: str, body: GroupBody, services: ServicesDep, actor: ActorDep) -> views.Json:
    """Makes a group without devices."""
    found = product_for(services, actor, product, Permission.CONTROL_FIRMWARE)
    made = act(
        services,
        actor,
        "group.create",
        f"{found.id} {body.name}",
        lambda connection, _now_ms: groups.create(connection, found, body.name, body.description, body.color),
        found,
    )
    return {"group": views.group(made, 0)}


@router.get("/{group}")
def get_group(product: str, group: str, services: ServicesDep, actor: ActorDep) -> views.Json:
    """One group."""
    found = product_for(services, actor, product, Permission.VIEW)
    with services.database.read() as connection:
        return {"group": _shown(connection, found, groups.find(connection, found, group))}


@router.put("/{group}")
def change_group(product: str, group: str, body: GroupChanges, services: ServicesDep, actor: ActorDep) -> views.Json:
    """Sets name, description or color."""
    found = product_for(services, actor, product, Permission.CONTROL_FIRMWARE)
    changes = body.model_dump(exclude_none=True)

    def write(connection: Connection, _now_ms: int) -> Group:
        if changes.get("name", group) != group:
            cohorts.check_group_unused(connection, found, group)
        return groups.change(connection, found, group, changes)

    changed = act(
        services,
        actor,
        "group.change",
        f"{found.id} {group}",
        write,
        found,
        ", ".join(f"{key}={value}" for key, value in changes.items()),
    )
    with services.database.read() as connection:
        return {"group": _shown(connection, found, changed)}


@router.delete("/{group}", status_code=204)
def remove_group(product: str, group: str, services: ServicesDep, actor: ActorDep) -> Response:
    """Removes a group that no cohort names; its devices stay."""
    found = product_for(services, actor, product, Permission.CONTROL_FIRMWARE)

    def write(connection: Connection, _now_ms: int) -> None:
        cohorts.check_group_unused(connection, found, group)
        groups.remove(connection, found, group)

    act(
        services,
        actor,
        "group.remove",
        f"{found.id} {group}",
        write,
        found,
    )
    return Response(status_code=204)


def _shown(connection: Connection, product: Product, group: Group) -> views.Json:
    counts = {one.id: count for one, count in groups.of_product(connection, product, group.name)}
    return views.group(group, counts[group.id])
