# SPDX-License-Identifier: Apache-2.0
"""The first page of a product."""

from __future__ import annotations

from sqlalchemy import Connection
from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ota_server.dashboard.frame import Context, Frame, View
from ota_server.dashboard.overview_facts import overview
from ota_server.dashboard.security import Visitor
from ota_server.products.models import Product


class OverviewPages:
    """Five questions, what runs, what needs attention, which versions."""

    def __init__(self, frame: Frame) -> None:
        self._frame = frame

    def routes(self) -> list[Route]:
        return [Route("/products/{product}", self._frame.page(self._show))]

    def views(self) -> dict[str, View]:
        return {"overview": View(("tiles", "rollouts", "attention", "versions"), self._read)}

    async def _show(self, request: Request, visitor: Visitor) -> Response:
        product = await self._frame.product(request, visitor)
        context = await self._frame.read(lambda connection: self._context(connection, product))
        return self._frame.render("overview.html", visitor, product, context)

    def _read(self, connection: Connection, product: Product, _name: str, _query: QueryParams) -> Context:
        return self._context(connection, product)

    def _context(self, connection: Connection, product: Product) -> Context:
        return {"overview": overview(connection, product, self._frame.release_threshold, self._frame.now_ms())}
