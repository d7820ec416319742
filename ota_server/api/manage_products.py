# SPDX-License-Identifier: Apache-2.0
"""Products in the management API."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict
from starlette.responses import Response

from ota_server.api import views
from ota_server.api.context import ActorDep, ServicesDep, act, product_for
from ota_server.organizations.roles import Permission
from ota_server.products import service
from ota_server.products.models import Claiming, Reprogrammers

router = APIRouter()


_NULLABLE = ("time_zone", "keep_logs_days", "keep_events_days")


class ProductFields(BaseModel):
    """A product to be made. `org`: the slug of its organization; needed when the account could mean several."""

    model_config = ConfigDict(extra="forbid")

    id: int
    name: str
    org: str | None = None
    slug: str | None = None
    description: str = ""
    auto_approve: bool = False
    check_in_interval_s: int = 300
    quarantine_max: int = 100
    claiming: Claiming = Claiming.CODE


class ProductBody(BaseModel):
    model_config = ConfigDict(extra="forbid")

    product: ProductFields


class SettingsFields(BaseModel):
    """What is left out stays as it is; days of null are the server's."""

    model_config = ConfigDict(extra="forbid")

    name: str | None = None
    description: str | None = None
    auto_approve: bool | None = None
    check_in_interval_s: int | None = None
    quarantine_max: int | None = None
    patch_wait: int | None = None
    claiming: Claiming | None = None
    reprogrammers: Reprogrammers | None = None
    time_zone: str | None = None
    keep_logs_days: int | None = None
    keep_events_days: int | None = None


class ProductChanges(BaseModel):
    model_config = ConfigDict(extra="forbid")

    product: SettingsFields


@router.get("/products")
@router.get("/user/products")
def list_products(services: ServicesDep, actor: ActorDep) -> views.Json:
    """All products of the account's organizations."""
    with services.database.read() as connection:
        found = actor.products(connection)
    return {"products": [views.product(item, actor.organizations[item.organization_id]) for item in found]}


@router.post("/products", status_code=201)
def create_product(body: ProductBody, services: ServicesDep, actor: ActorDep) -> views.Json:
    """Makes a product; its id is the one in its images."""
    fields = service.NewProduct(**body.product.model_dump(exclude={"org"}))
    wanted = body.product.org
    if wanted is None:
        owner = actor.only_organization(Permission.MANAGE_PRODUCTS)
    else:
        owner = actor.organization(wanted, Permission.MANAGE_PRODUCTS)
    made = act(
        services,
        actor,
        "product.create",
        str(fields.id),
        lambda connection, now_ms: service.create(connection, owner.id, fields, now_ms),
        owner,
    )
    return {"product": views.product(made, owner)}


@router.put("/products/{product}")
def change_product(product: str, body: ProductChanges, services: ServicesDep, actor: ActorDep) -> views.Json:
    """Sets what is given; id and slug stay."""
    found = product_for(services, actor, product, Permission.MANAGE_PRODUCTS)
    given = body.product.model_dump(exclude_unset=True)
    changes = {key: value for key, value in given.items() if value is not None or key in _NULLABLE}
    changed = act(
        services,
        actor,
        "product.change",
        str(found.id),
        lambda connection, _now_ms: service.change(connection, found, changes),
        found,
        ", ".join(f"{key}={value}" for key, value in changes.items() if key != "description"),
    )
    return {"product": views.product(changed, actor.organizations[found.organization_id])}


@router.delete("/products/{product}", status_code=204)
def remove_product(product: str, services: ServicesDep, actor: ActorDep) -> Response:
    """Removes a product that has neither devices nor releases."""
    found = product_for(services, actor, product, Permission.MANAGE_PRODUCTS)
    act(
        services,
        actor,
        "product.remove",
        str(found.id),
        lambda connection, _now_ms: service.remove(connection, found),
        found,
    )
    return Response(status_code=204)


@router.get("/products/{product}")
def get_product(product: str, services: ServicesDep, actor: ActorDep) -> views.Json:
    """One product, by id or slug."""
    found = product_for(services, actor, product, Permission.VIEW)
    return {"product": views.product(found, actor.organizations[found.organization_id])}
