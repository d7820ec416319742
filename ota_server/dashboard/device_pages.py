# SPDX-License-Identifier: Apache-2.0
"""The pages of one device."""

from __future__ import annotations

import json
from urllib.parse import quote

from sqlalchemy import Connection
from starlette.datastructures import FormData, QueryParams
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ota_server.api import calling
from ota_server.dashboard import device_facts, device_timeline, security
from ota_server.dashboard.frame import Context, Frame, View, go
from ota_server.dashboard.security import Visitor
from ota_server.devices import groups, labels
from ota_server.devices import service as devices
from ota_server.devices.models import Device
from ota_server.errors import Conflict, Invalid, NotFound, ServerError
from ota_server.organizations.roles import Permission
from ota_server.products.models import Product
from ota_server.rollouts.explain import explain

LABELS = ("name", "notes", "serial_number", "time_zone")
"""Fields of the form that do not decide which version a device gets."""


class DevicePages:
    """One device's page, and what is done there."""

    def __init__(self, frame: Frame) -> None:
        self._frame = frame

    def routes(self) -> list[Route]:
        page, path = self._frame.page, "/products/{product}/devices/{device}"
        return [
            Route(path, page(self._show)),
            Route(f"{path}/approve", page(self._approve), methods=["POST"]),
            Route(f"{path}/call", page(self._call), methods=["POST"]),
            Route(f"{path}/edit", page(self._edit)),
            Route(f"{path}/edit", page(self._save), methods=["POST"]),
            Route(f"{path}/explain", page(self._explain)),
        ]

    def views(self) -> dict[str, View]:
        return {"device": View(("device-state", "device-timeline", "device-log"), self._read)}

    async def _show(self, request: Request, visitor: Visitor) -> Response:
        product = await self._frame.product(request, visitor)
        return await self._page(request, visitor, product, {"called": None, "answer": None, "error": None})

    async def _page(
        self, request: Request, visitor: Visitor, product: Product, tried: Context, status: int = 200
    ) -> Response:
        name, query = request.path_params["device"], request.query_params
        context = await self._frame.read(lambda connection: self._read(connection, product, name, query))
        context |= {"kinds": device_timeline.KINDS, **tried}
        return self._frame.render("device.html", visitor, product, context, status)

    async def _approve(self, request: Request, visitor: Visitor) -> Response:
        form = await self._frame.form(request, visitor)
        product = await self._frame.product(request, visitor, Permission.MANAGE_DEVICES)
        name, digits = request.path_params["device"], security.text_of(form.get("fingerprint"), "")
        by = visitor.account.email

        def work(connection: Connection, now_ms: int) -> None:
            devices.approve(connection, product, name, digits or None, by, now_ms)

        await self._frame.act(visitor, "device.approve", name, work, product)
        return go(_path(product, name))

    async def _call(self, request: Request, visitor: Visitor) -> Response:
        """Calls a function or reads a variable, and shows what the device tells."""
        form = await self._frame.form(request, visitor)
        product = await self._frame.product(request, visitor, Permission.MANAGE_DEVICES)
        row = await self._frame.read(lambda c: devices.find(c, product, request.path_params["device"]))
        name, argument = _field(form, "name"), security.text_of(form.get("argument"))
        tried: Context = {"called": name, "answer": None, "error": None}
        services = self._frame.services
        try:
            if form.get("kind") == "variable":
                value = await calling.read_variable(services, row, product, name)
            else:
                value = await calling.call_function(services, visitor.actor, row, product, name, argument)
        except ServerError as error:
            return await self._page(request, visitor, product, tried | {"error": error}, error.status)
        return await self._page(request, visitor, product, tried | {"answer": json.dumps(value, ensure_ascii=False)})

    async def _explain(self, request: Request, visitor: Visitor) -> Response:
        product = await self._frame.product(request, visitor)
        name, services = request.path_params["device"], self._frame.services

        def read(connection: Connection) -> Context:
            row = devices.find(connection, product, name)
            trace = explain(connection, product, row, services.chain.version, self._frame.now_ms())
            return {"device": row, "trace": trace}

        return self._frame.render("device-explain.html", visitor, product, await self._frame.read(read))

    async def _edit(self, request: Request, visitor: Visitor) -> Response:
        product = await self._frame.product(request, visitor, Permission.MANAGE_DEVICES)
        row, names = await self._frame.read(lambda connection: _labelled(connection, product, request))
        return self._form(visitor, product, row, _typed(row, names), None)

    async def _save(self, request: Request, visitor: Visitor) -> Response:
        form = await self._frame.form(request, visitor)
        product = await self._frame.product(request, visitor, Permission.MANAGE_DEVICES)
        row, names = await self._frame.read(lambda connection: _labelled(connection, product, request))
        before = _typed(row, names)
        typed = {name: _field(form, name) if name in form else value for name, value in before.items()}
        changed = {name: value for name, value in typed.items() if value != before[name]}
        if not changed:
            return go(_path(product, row.device_id))
        if not changed.keys() <= set(LABELS):
            product = await self._frame.product(request, visitor, Permission.CONTROL_FIRMWARE)
        by = visitor.account.email

        def write(connection: Connection, now_ms: int) -> None:
            facts = dict[str, object](changed)
            if facts.pop("groups", None) is not None:
                wanted = changed["groups"].split()
                for name in wanted:
                    groups.check_name(name, "groups")
                groups.set_groups(connection, product, row.device_id, wanted, by, now_ms)
            if "tags" in facts:
                facts["tags"] = labels.tags_text(changed["tags"].split())
            if "country" in facts:
                facts["country"] = labels.country_code(changed["country"])
            for name in ("serial_number", "time_zone"):
                if name in facts:
                    facts[name] = changed[name] or None
            devices.set_facts(connection, product, row.device_id, facts, by, now_ms)

        try:
            await self._frame.act(visitor, "device.change", row.device_id, write, product)
        except (Invalid, Conflict, NotFound) as error:
            return self._form(visitor, product, row, typed, error)
        return go(_path(product, row.device_id))

    def _form(
        self, visitor: Visitor, product: Product, row: Device, typed: dict[str, str], error: ServerError | None
    ) -> Response:
        context: Context = {"device": row, "typed": typed, "error": error}
        return self._frame.render("device-edit.html", visitor, product, context, 200 if error is None else 400)

    def _read(self, connection: Connection, product: Product, name: str, query: QueryParams) -> Context:
        keyset_version, now_ms = self._frame.services.chain.version, self._frame.now_ms()
        asked = device_timeline.parse(query)
        item = device_facts.device_page(connection, product, name, keyset_version, now_ms, asked)
        return {"item": item, "asked": asked}


def _path(product: Product, name: str) -> str:
    return f"/products/{product.slug}/devices/{quote(name)}"


def _field(form: FormData, name: str) -> str:
    return security.text_of(form.get(name)).strip().replace("\r\n", "\n")


def _labelled(connection: Connection, product: Product, request: Request) -> tuple[Device, list[str]]:
    row = devices.find(connection, product, request.path_params["device"])
    return row, groups.of_devices(connection, [row.id]).get(row.id, [])


def _typed(row: Device, names: list[str]) -> dict[str, str]:
    """What stands in the fields of the form."""
    return {
        "name": row.name,
        "notes": row.notes,
        "serial_number": row.serial_number or "",
        "time_zone": row.time_zone or "",
        "groups": " ".join(names),
        "tags": row.tags,
        "country": row.country or "",
    }
