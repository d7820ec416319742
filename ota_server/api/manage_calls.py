# SPDX-License-Identifier: Apache-2.0
"""Calling functions of devices and reading their variables. Included last: any name may stand behind a device's."""

from __future__ import annotations

import asyncio
import json
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import PlainTextResponse, Response

from ota_server.api import calling, views
from ota_server.api.body import read_fields
from ota_server.api.context import ActorDep, OwnerDep, ServicesDep, act, device_for, product_for
from ota_server.devices import service as devices
from ota_server.devices.models import Device
from ota_server.organizations.access import Owner
from ota_server.organizations.roles import Permission
from ota_server.services import Services

router = APIRouter()

Format = Annotated[Literal["", "raw"], Query(alias="format")]


class Argument(BaseModel):
    """What a function is called with; `args` is Particle's older name of it. Particle's other fields are ignored."""

    arg: str | None = None
    args: str = ""


class Watch(BaseModel):
    model_config = ConfigDict(extra="forbid")

    seconds: Annotated[int, Field(ge=0, le=devices.WATCH_MAX_S)]


@router.put("/products/{product}/devices/{device}/watch")
def watch(product: str, device: str, body: Watch, services: ServicesDep, actor: ActorDep) -> views.Json:
    """Has a device answer at once for so many seconds; 0 ends it."""
    found = product_for(services, actor, product, Permission.MANAGE_DEVICES)
    row: Device = act(
        services,
        actor,
        "device.watch",
        device,
        lambda connection, now_ms: devices.watch(connection, found, device, body.seconds, now_ms),
        found,
        f"{body.seconds} s",
    )
    return {"ok": True, "id": row.device_id, "watched_until": views.time(row.watched_until_ms)}


@router.post("/products/{product}/devices/{device}/{function}")
async def call_function(
    product: str, device: str, function: str, request: Request, services: ServicesDep, actor: ActorDep
) -> views.Json:
    """Calls a function of a product's device."""
    return await _call_function(services, actor, product, device, function, request)


@router.post("/devices/{device}/{function}")
async def call_own_function(
    device: str, function: str, request: Request, services: ServicesDep, actor: OwnerDep
) -> views.Json:
    """Calls a function of a device that the account owns, or of one of its products'."""
    return await _call_function(services, actor, None, device, function, request)


@router.get("/products/{product}/devices/{device}/{variable}")
async def read_variable(
    product: str,
    device: str,
    variable: str,
    services: ServicesDep,
    actor: ActorDep,
    wanted: Format = "",
) -> Response:
    """Reads a variable of a product's device; `format=raw`: the value alone, as text."""
    return await _read_variable(services, actor, product, device, variable, wanted)


@router.get("/devices/{device}/{variable}")
async def read_own_variable(
    device: str,
    variable: str,
    services: ServicesDep,
    actor: OwnerDep,
    wanted: Format = "",
) -> Response:
    """Reads a variable of a device that the account owns, or of one of its products'."""
    return await _read_variable(services, actor, None, device, variable, wanted)


async def _call_function(
    services: Services, actor: Owner, product: str | None, device: str, function: str, request: Request
) -> views.Json:
    body = await read_fields(request, Argument)
    argument = body.args if body.arg is None else body.arg
    row, owner = await asyncio.to_thread(device_for, services, actor, product, device, Permission.MANAGE_DEVICES)
    value = await calling.call_function(services, actor, row, owner, function, argument)
    return {"id": row.device_id, "name": row.name, "connected": True, "return_value": value}


async def _read_variable(
    services: Services, actor: Owner, product: str | None, device: str, variable: str, wanted: str
) -> Response:
    row, owner = await asyncio.to_thread(device_for, services, actor, product, device, Permission.VIEW_DEVICES)
    value = await calling.read_variable(services, row, owner, variable)
    if wanted == "raw":
        return PlainTextResponse(value if isinstance(value, str) else json.dumps(value))
    return Response(json.dumps(views.variable(row, variable, value)), media_type="application/json")
