# SPDX-License-Identifier: Apache-2.0
"""Devices in the management API."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import Connection
from starlette.datastructures import UploadFile
from starlette.responses import JSONResponse, Response, StreamingResponse

from ota_server.api import views
from ota_server.api.body import read_fields
from ota_server.api.context import ActorDep, Page, PerPage, ServicesDep, act, product_for
from ota_server.api.flashing import FLASH_OR_JSON, flash, is_upload
from ota_server.api.signalling import SignalField, signal
from ota_server.customers.models import Customer
from ota_server.devices import claims, export, groups, labels, removal, search, service, table
from ota_server.devices.models import Device, DeviceStatus
from ota_server.devices.search import Order, Search
from ota_server.devices.service import ImportResult
from ota_server.errors import Invalid
from ota_server.organizations.access import Actor
from ota_server.organizations.roles import Permission
from ota_server.rollouts import store as rollouts
from ota_server.rollouts.explain import explain
from ota_server.services import Services
from ota_server.telemetry import store as telemetry

router = APIRouter(prefix="/products/{product}/devices")

IMPORT_FILE_MAX = 2 * 1024 * 1024


class ImportBody(BaseModel):
    """Ids to import, each with its key or without; `public_key` goes with `id`. Particle's other fields are ignored."""

    id: str | None = None
    ids: list[str] = Field(default_factory=list)
    public_key: str | None = None


class DeviceChanges(BaseModel):
    """What is left out stays as it is; a desired version of null unlocks, a serial number or
    country of null takes it away.

    A signal goes alone: 1 has the device show people which one it is, 0 ends that.

    Particle's tools send `flash` with it: at once, or at the next handshake? Here it is always the next check-in.
    """

    model_config = ConfigDict(extra="forbid")

    name: str | None = None
    notes: str | None = None
    serial_number: str | None = None
    time_zone: str | None = None
    groups: list[str] | None = None
    tags: list[str] | None = None
    country: Annotated[str | None, Field(max_length=2)] = None
    development: bool | None = None
    desired_firmware_version: Annotated[int | None, Field(ge=1, le=65_534)] = None
    flash: bool | None = None
    signal: SignalField = None


class NamesToChange(BaseModel):
    model_config = ConfigDict(extra="forbid")

    add: list[str] = Field(default_factory=list)
    remove: list[str] = Field(default_factory=list)


class NamesOfMany(BaseModel):
    """Devices, and the groups or tags that they all shall have or not."""

    action: Literal["groups", "tags"]
    devices: Annotated[list[str], Field(max_length=1000)]
    metadata: NamesToChange


class Approval(BaseModel):
    """Which key is approved: at least 16 digits of its fingerprint, needed when several keys claim the id."""

    model_config = ConfigDict(extra="forbid")

    fingerprint: str | None = None


class Denial(BaseModel):
    deny: bool = False


@router.get("", response_model=None, responses={200: {"content": {"text/csv": {}}}})
def list_devices(
    product: str,
    services: ServicesDep,
    actor: ActorDep,
    page: Page = 1,
    per_page: PerPage = 25,
    device_id: Annotated[str, Query(alias="deviceId", max_length=24)] = "",
    name: Annotated[str, Query(alias="deviceName", max_length=100)] = "",
    group_names: Annotated[str, Query(alias="groups", max_length=1000)] = "",
    tag: Annotated[str, Query(max_length=32)] = "",
    country: Annotated[str, Query(max_length=2)] = "",
    status: DeviceStatus | None = None,
    version: Annotated[int | None, Query(ge=0, le=65_535)] = None,
    order: Annotated[Order, Query(alias="sortAttr")] = Order.ID,
    direction: Annotated[Literal["asc", "desc"], Query(alias="sortDir")] = "asc",
    shape: Annotated[Literal["json", "csv"], Query(alias="format")] = "json",
) -> Response:
    """A page of a product's devices: by part of id or name, by groups (with commas between), tag,
    country, status or version.

    As CSV: all that the filters leave, by id.
    """
    wanted = Search(
        device_id=device_id,
        name=name,
        groups=[one for one in group_names.split(",") if one],
        tag=tag,
        country=country.upper(),
        status=status,
        version=version,
        order=order,
        descending=direction == "desc",
        page=page,
        per_page=per_page,
    )
    with services.database.read() as connection:
        found = actor.product(connection, product, Permission.VIEW_DEVICES)
        if shape == "csv":
            headers = {"content-disposition": f'attachment; filename="devices-{found.slug}.csv"'}
            lines = export.lines(services.database, found.id, wanted)
            return StreamingResponse(lines, media_type="text/csv", headers=headers)
        rows, total = search.of_product(connection, found.id, wanted)
        in_groups = groups.of_devices(connection, [row.id for row in rows])
        owners = claims.owners_of(connection, rows)
    now_ms = services.clock.now_ms()
    return JSONResponse(
        {
            "devices": [views.device(row, now_ms, in_groups.get(row.id, []), _email(owners, row)) for row in rows],
            "customers": [{"id": str(one.id), "username": one.email} for one in owners.values()],
            "meta": {"total_pages": max(1, -(-total // per_page)), "total_records": total},
        }
    )


@router.post("")
async def import_devices(product: str, request: Request, services: ServicesDep, actor: ActorDep) -> views.Json:
    """Imports devices: JSON with id or ids, or a file with a line for each: `id` or `id key`; or a table (CSV).

    A table has the columns id, key, name, serial_number, time_zone, groups, tags, country and notes, or some of them;
    all of it is imported, or nothing, and then every refused line is named.
    """
    lines = await _import_lines(request)
    return await asyncio.to_thread(_import, services, actor, product, lines)


@router.get("/{device}")
def get_device(product: str, device: str, services: ServicesDep, actor: ActorDep) -> views.Json:
    """One device: state, why it runs what it runs, attempts, history, logs and events."""
    now_ms = services.clock.now_ms()
    with services.database.read() as connection:
        found = actor.product(connection, product, Permission.VIEW_DEVICES)
        row = service.find(connection, found, device)
        return views.device_details(
            row,
            now_ms,
            groups.of_devices(connection, [row.id]).get(row.id, []),
            explain(connection, found, row, services.chain.version, now_ms),
            rollouts.attempts_of_device(connection, row.id),
            telemetry.history_of(connection, row.id),
            telemetry.logs_of(connection, row.id),
            telemetry.events_of(connection, row.id),
            service.claimants(connection, found, device),
            _email(claims.owners_of(connection, [row]), row),
        )


@router.get("/{device}/explain")
def explain_device(product: str, device: str, services: ServicesDep, actor: ActorDep) -> views.Json:
    """What the device's next check-in would be offered, and what each rule says about it, in their order."""
    with services.database.read() as connection:
        found = actor.product(connection, product, Permission.VIEW_DEVICES)
        row = service.find(connection, found, device)
        return views.explanation(row, explain(connection, found, row, services.chain.version, services.clock.now_ms()))


@router.put("")
def change_many(product: str, body: NamesOfMany, services: ServicesDep, actor: ActorDep) -> views.Json:
    """Puts many devices into groups and takes them out of others; or gives and takes tags."""
    found = product_for(services, actor, product, Permission.CONTROL_FIRMWARE)
    to = body.metadata
    change = groups.change_groups if body.action == "groups" else service.change_tags
    act(
        services,
        actor,
        f"device.{body.action}",
        f"{len(body.devices)} devices",
        lambda connection, now_ms: change(connection, found, body.devices, to.add, to.remove, actor.email, now_ms),
        found,
        ", ".join([*(f"+{name}" for name in to.add), *(f"-{name}" for name in to.remove)]),
    )
    return {"ok": True}


@router.put("/{device}", openapi_extra=FLASH_OR_JSON)
async def change_device(
    product: str, device: str, request: Request, services: ServicesDep, actor: ActorDep
) -> views.Json:
    """Sets name, notes, serial number, groups, tags, country, development flag or locked version.

    Or has the device show itself.

    A form with a `file` flashes it.
    """
    if is_upload(request):
        found = await asyncio.to_thread(product_for, services, actor, product, Permission.CONTROL_FIRMWARE)
        return await flash(request, services, actor, found, device)
    body = await read_fields(request, DeviceChanges)
    if body.signal is not None:
        return await signal(services, actor, product, device, body)
    return await asyncio.to_thread(_change, services, actor, product, device, body)


def _change(services: Services, actor: Actor, product: str, device: str, body: DeviceChanges) -> views.Json:
    given = body.model_dump(exclude_unset=True, exclude={"flash"})
    for name, value in given.items():
        if value is None and name not in ("desired_firmware_version", "serial_number", "time_zone", "country"):
            raise Invalid(f"{name} is not null", name)
    is_label = given.keys() <= {"name", "notes", "serial_number", "time_zone"}
    permission = Permission.MANAGE_DEVICES if is_label else Permission.CONTROL_FIRMWARE
    found = product_for(services, actor, product, permission)
    detail = ", ".join(key if key == "notes" else f"{key}={value}" for key, value in given.items())
    names = given.pop("groups", None)
    if "tags" in given:
        given["tags"] = labels.tags_text(given["tags"])
    if given.get("country") is not None:
        given["country"] = labels.country_code(given["country"])
    if "desired_firmware_version" in given:
        given["locked_version"] = given.pop("desired_firmware_version")

    def write(connection: Connection, now_ms: int) -> Device:
        if names is not None:
            groups.set_groups(connection, found, device, names, actor.email, now_ms)
        return service.set_facts(connection, found, device, given, actor.email, now_ms)

    shown = _shown(services, act(services, actor, "device.change", device, write, found, detail))
    return {**shown, "updated_at": views.time(services.clock.now_ms())}


@router.delete("/{device}", status_code=204)
def remove_device(
    product: str, device: str, services: ServicesDep, actor: ActorDep, body: Denial | None = None
) -> Response:
    """Removes a device: when it comes back, it is a new one. Or denies it: it may not open sessions any more."""
    found = product_for(services, actor, product, Permission.MANAGE_DEVICES)
    is_denied = body is not None and body.deny
    work = service.deny if is_denied else removal.remove
    act(
        services,
        actor,
        "device.deny" if is_denied else "device.remove",
        device,
        lambda connection, now_ms: work(connection, found, device, actor.email, now_ms),
        found,
    )
    return Response(status_code=204)


@router.post("/{device}/approve")
def approve_device(
    product: str, device: str, services: ServicesDep, actor: ActorDep, body: Approval | None = None
) -> views.Json:
    """Trusts a quarantined device's key."""
    found = product_for(services, actor, product, Permission.MANAGE_DEVICES)
    digits = None if body is None else body.fingerprint
    row: Device = act(
        services,
        actor,
        "device.approve",
        device,
        lambda connection, now_ms: service.approve(connection, found, device, digits, actor.email, now_ms),
        found,
        digits or "",
    )
    return _shown(services, row)


def _shown(services: Services, row: Device) -> views.Json:
    with services.database.read() as connection:
        names = groups.of_devices(connection, [row.id]).get(row.id, [])
        owners = claims.owners_of(connection, [row])
    return views.device(row, services.clock.now_ms(), names, _email(owners, row))


def _email(owners: Mapping[int, Customer], row: Device) -> str | None:
    return None if row.customer_id is None else owners[row.customer_id].email


def _import(services: Services, actor: Actor, product: str, lines: list[str]) -> views.Json:
    found = product_for(services, actor, product, Permission.MANAGE_DEVICES)
    rows = table.parse(lines) if table.is_table(lines) else None
    good, bad = service.parse_import(lines) if rows is None else ([], [])
    if any(row.steers_firmware for row in rows or ()):
        found = product_for(services, actor, product, Permission.CONTROL_FIRMWARE)

    def write(connection: Connection, now_ms: int) -> ImportResult:
        if rows is not None:
            return table.import_table(connection, found, rows, actor.email, now_ms)
        return service.import_devices(connection, found, good, actor.email, now_ms)

    count = len(rows or good)
    result = act(services, actor, "device.import", f"{count} devices", write, found)
    return {
        "updated": len(result.updated),
        "updatedDeviceIds": result.updated,
        "existingDeviceIds": result.existing,
        "nonmemberDeviceIds": [],
        "invalidDeviceIds": [*result.refused, *bad],
    }


async def _import_lines(request: Request) -> list[str]:
    if request.headers.get("content-type", "").startswith("multipart/form-data"):
        async with request.form(max_files=1, max_fields=10) as form:
            file = form.get("file")
            if not isinstance(file, UploadFile):
                raise Invalid("send the list as a file", "file")
            raw = await file.read(IMPORT_FILE_MAX + 1)
        if len(raw) > IMPORT_FILE_MAX:
            raise Invalid(f"the list has more than {IMPORT_FILE_MAX} bytes", "file")
        try:
            return raw.decode().splitlines()
        except UnicodeDecodeError as error:
            raise Invalid("the list is not text", "file") from error
    try:
        body = ImportBody.model_validate_json(await request.body())
    except ValueError as error:
        raise Invalid('send {"id": ...} or {"ids": [...]}') from error
    lines = list(body.ids)
    if body.id is not None:
        lines.append(body.id if body.public_key is None else f"{body.id} {body.public_key}")
    return lines
