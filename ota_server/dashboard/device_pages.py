# SPDX-License-Identifier: Apache-2.0
"""The page of a device."""

from __future__ import annotations

from urllib.parse import quote

from sqlalchemy import Connection
from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ota_server.dashboard import device_facts, security
from ota_server.dashboard.frame import Context, Frame, View, go
from ota_server.dashboard.security import Visitor
from ota_server.devices import service as devices
from ota_server.organizations.roles import Permission
from ota_server.products.models import Product


class DevicePages:
    """One device's page, and what is done there."""

    def __init__(self, frame: Frame) -> None:
        self._frame = frame

    def routes(self) -> list[Route]:
        page, base = self._frame.page, "/products/{product}/devices"
        return [
            Route(f"{base}/{{device}}", page(self._show)),
            Route(f"{base}/{{device}}/approve", page(self._approve), methods=["POST"]),
        ]

    def views(self) -> dict[str, View]:
        return {"device": View(("device-state", "device-history"), self._read)}

    async def _show(self, request: Request, visitor: Visitor) -> Response:
        product = await self._frame.product(request, visitor)
        name = request.path_params["device"]
        context = await self._frame.read(lambda connection: self._context(connection, product, name))
        return self._frame.render("device.html", visitor, product, context)

    async def _approve(self, request: Request, visitor: Visitor) -> Response:
        form = await self._frame.form(request, visitor)
        product = await self._frame.product(request, visitor, Permission.MANAGE_DEVICES)
        name, digits = request.path_params["device"], security.text_of(form.get("fingerprint"), "")
        by = visitor.account.email

        def work(connection: Connection, now_ms: int) -> None:
            devices.approve(connection, product, name, digits or None, by, now_ms)

        await self._frame.act(visitor, "device.approve", name, work, product)
        return go(f"/products/{product.slug}/devices/{quote(name)}")

    def _read(self, connection: Connection, product: Product, name: str, _query: QueryParams) -> Context:
        return self._context(connection, product, name)

    def _context(self, connection: Connection, product: Product, name: str) -> Context:
        keyset_version = self._frame.services.chain.version
        return {"item": device_facts.device_page(connection, product, name, keyset_version, self._frame.now_ms())}
