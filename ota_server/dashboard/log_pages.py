# SPDX-License-Identifier: Apache-2.0
"""A product's log."""

from __future__ import annotations

from sqlalchemy import Connection
from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ota_server.dashboard import log_filter
from ota_server.dashboard.frame import Context, Frame, View
from ota_server.dashboard.security import Visitor
from ota_server.products.models import Product


class LogPages:
    """What devices did and said, as it comes in."""

    def __init__(self, frame: Frame) -> None:
        self._frame = frame

    def routes(self) -> list[Route]:
        return [Route("/products/{product}/log", self._frame.page(self._show))]

    def views(self) -> dict[str, View]:
        return {"log": View(("log-entries",), _read)}

    async def _show(self, request: Request, visitor: Visitor) -> Response:
        product = await self._frame.product(request, visitor)
        context = await self._frame.read(lambda connection: _read(connection, product, "", request.query_params))
        return self._frame.render("log.html", visitor, product, {**context, "kinds": log_filter.KINDS})


def _read(connection: Connection, product: Product, _name: str, query: QueryParams) -> Context:
    asked = log_filter.parse(query)
    return {"page": log_filter.read(connection, product, asked), "asked": asked}
