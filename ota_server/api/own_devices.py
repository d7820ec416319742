# SPDX-License-Identifier: Apache-2.0
"""Devices in the hands of their owners: claiming them, and what an owner may do with one."""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import Connection

from ota_server.api import views
from ota_server.api.body import read_fields
from ota_server.api.context import ActorDep, OwnerDep, ServicesDep, act, product_for
from ota_server.api.flashing import FLASH_OR_JSON, flash, is_upload
from ota_server.api.signalling import SignalField, signal
from ota_server.devices import claims, service, store
from ota_server.devices.models import Device
from ota_server.errors import Forbidden, Invalid, NotFound
from ota_server.organizations.access import CustomerActor, Owner
from ota_server.organizations.roles import Permission
from ota_server.products import store as products
from ota_server.products.models import Product
from ota_server.services import Services

router = APIRouter()

Name = Annotated[str | None, Field(max_length=100)]


class Claim(BaseModel):
    """A device to claim by its id; or a product that shall get a new id. Particle's other fields are ignored."""

    id: Annotated[str | None, Field(max_length=24)] = None
    product_id: int | Annotated[str, Field(max_length=64)] | None = None


class OwnChanges(BaseModel):
    """What is left out stays as it is; a signal goes alone. Particle's other fields are refused: they do nothing."""

    model_config = ConfigDict(extra="forbid")

    name: Name = None
    notes: Annotated[str | None, Field(max_length=service.NOTES_MAX)] = None
    signal: SignalField = None


@router.get("/devices")
def list_own(services: ServicesDep, actor: OwnerDep) -> list[views.Json]:
    """What the account owns."""
    now_ms = services.clock.now_ms()
    with services.database.read() as connection:
        rows = claims.own(connection, actor.customers(connection))
    return [views.own_device(row, now_ms, actor.email) for row in rows]


@router.post("/devices")
async def claim_device(request: Request, services: ServicesDep, actor: OwnerDep) -> views.Json:
    """Claims a device by its id; or, with product_id, makes a new id for a device of that product."""
    body = await read_fields(request, Claim)
    return await asyncio.to_thread(_claim if body.id else _provision, services, actor, body)


@router.get("/devices/{device}")
def get_own(device: str, services: ServicesDep, actor: OwnerDep) -> views.Json:
    """One device that the account owns, by id or name."""
    row, _ = _own(services, actor, device)
    return views.own_device(row, services.clock.now_ms(), actor.email)


@router.put("/devices/{device}", openapi_extra=FLASH_OR_JSON)
async def change_own(device: str, request: Request, services: ServicesDep, actor: OwnerDep) -> views.Json:
    """Sets name or notes of a device that the account owns, or has it show itself.

    A form with a `file` flashes it, if the team's role may.
    """
    if is_upload(request):
        row, product = await asyncio.to_thread(_own, services, actor, device)
        if isinstance(actor, CustomerActor) or not actor.may(product.organization_id, Permission.CONTROL_FIRMWARE):
            raise Forbidden("the team of the product chooses the firmware, not the owner of a device")
        product = await asyncio.to_thread(product_for, services, actor, str(product.id), Permission.CONTROL_FIRMWARE)
        return await flash(request, services, actor, product, row.device_id)
    body = await read_fields(request, OwnChanges)
    if body.signal is not None:
        return await signal(services, actor, None, device, body)
    changes = body.model_dump(exclude_none=True)
    if not changes:
        raise Invalid("send a name, notes or a signal")
    return await asyncio.to_thread(_change, services, actor, device, changes)


@router.put("/devices/{device}/ping")
def ping(device: str, services: ServicesDep, actor: OwnerDep) -> views.Json:
    """Whether a device that the account owns is online."""
    row, _ = _own(services, actor, device)
    return {"ok": True, "online": row.is_online(services.clock.now_ms())}


@router.delete("/devices/{device}")
def give_up(device: str, services: ServicesDep, actor: OwnerDep) -> views.Json:
    """Gives up a device: nobody owns it any more."""
    row, product = _own(services, actor, device)

    def write(connection: Connection, now_ms: int) -> None:
        found = claims.find_own(connection, actor.customers(connection), row.device_id)
        claims.release(connection, found, actor.email, now_ms)

    act(services, actor, "device.give_up", row.device_id, write, product)
    return {"ok": True}


@router.delete("/products/{product}/devices/{device}/owner")
def take_from_owner(product: str, device: str, services: ServicesDep, actor: ActorDep) -> views.Json:
    """Leaves a device without an owner, so that another one may claim it."""
    found = product_for(services, actor, product, Permission.MANAGE_DEVICES)

    def write(connection: Connection, now_ms: int) -> None:
        claims.release(connection, service.find(connection, found, device), actor.email, now_ms)

    act(services, actor, "device.take_from_owner", device, write, found)
    return {"ok": True}


@router.post("/device_claims")
def new_claim_code(services: ServicesDep, actor: OwnerDep) -> views.Json:
    """A code that makes the account the owner of the device that tells it."""
    actor.check_unlimited()
    return _new_code(services, actor, actor.of_product if isinstance(actor, CustomerActor) else None)


@router.post("/products/{product}/device_claims")
def new_claim_code_of_product(product: str, services: ServicesDep, actor: OwnerDep) -> views.Json:
    """The same, for one product only."""
    with services.database.read() as connection:
        return _new_code(services, actor, actor.product_to_own(connection, product))


@router.get("/serial_numbers/{serial_number}")
def by_serial_number(serial_number: str, services: ServicesDep, actor: OwnerDep) -> views.Json:
    """Which device has a serial number, among those that the account may see."""
    with services.database.read() as connection:
        seen = [one.id for one in actor.products(connection, Permission.VIEW_DEVICES)]
        row = store.with_serial_number(connection, seen, serial_number)
        if row is None:
            own = claims.own(connection, actor.customers(connection))
            row = next((one for one in own if one.serial_number == serial_number), None)
    if row is None:
        raise NotFound(f"there is no device with the serial number {serial_number}")
    return {"ok": True, "deviceID": row.device_id, "deviceId": row.device_id, "product_id": row.product_id}


def _own(services: Services, actor: Owner, name: str) -> tuple[Device, Product]:
    with services.database.read() as connection:
        row = claims.find_own(connection, actor.customers(connection), name)
        product = products.get(connection, row.product_id)
    assert product is not None
    return row, product


def _claim(services: Services, actor: Owner, body: Claim) -> views.Json:
    actor.check_unlimited()
    device_id = body.id or ""
    with services.database.read() as connection:
        _, product = claims.with_product(connection, device_id)
    row = act(
        services,
        actor,
        "device.claim",
        device_id.lower(),
        lambda connection, now_ms: claims.claim_by_id(connection, actor, device_id, now_ms),
        product,
    )
    online = row.is_online(services.clock.now_ms())
    return {"ok": True, "id": row.device_id, "user_id": _user_id(actor), "connected": online, "claimed": True}


def _user_id(actor: Owner) -> str:
    return f"customer-{actor.customer.id}" if isinstance(actor, CustomerActor) else str(actor.account.id)


def _provision(services: Services, actor: Owner, body: Claim) -> views.Json:
    if body.product_id is None:
        raise Invalid("send the id of a device, or the product_id of a new one", "id")
    found = product_for(services, actor, str(body.product_id), Permission.MANAGE_DEVICES)
    row = act(
        services,
        actor,
        "device.provision",
        str(found.id),
        lambda connection, now_ms: service.make_id(connection, found, actor.email, now_ms),
        found,
    )
    return {"ok": True, "id": row.device_id, "deviceID": row.device_id, "connected": False, "claimed": False}


def _change(services: Services, actor: Owner, device: str, changes: dict[str, object]) -> views.Json:
    row, product = _own(services, actor, device)

    def write(connection: Connection, now_ms: int) -> Device:
        claims.find_own(connection, actor.customers(connection), row.device_id)
        return service.set_facts(connection, product, row.device_id, changes, actor.email, now_ms)

    detail = ", ".join(key if key == "notes" else f"{key}={value}" for key, value in changes.items())
    changed = act(services, actor, "device.change", row.device_id, write, product, detail)
    shown = views.own_device(changed, services.clock.now_ms(), actor.email)
    return {"id": changed.device_id, "updated_at": views.time(services.clock.now_ms())} | {
        key: shown[key] for key in changes
    }


def _new_code(services: Services, actor: Owner, product: Product | None) -> views.Json:
    code = act(
        services,
        actor,
        "device.claim_code",
        "" if product is None else str(product.id),
        lambda connection, now_ms: claims.new_code(connection, actor, product, now_ms),
        product,
    )
    with services.database.read() as connection:
        own = claims.own(connection, actor.customers(connection))
    return {"claim_code": code, "device_ids": [one.device_id for one in own]}
