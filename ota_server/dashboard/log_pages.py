# SPDX-License-Identifier: Apache-2.0
"""A product's log."""

from __future__ import annotations

from sqlalchemy import Connection
from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from ota_server.api.manage_log import csv_lines
from ota_server.dashboard import log_filter
from ota_server.dashboard.forms import DAY_MS
from ota_server.dashboard.frame import Context, Frame, View
from ota_server.dashboard.security import HEADERS, Visitor
from ota_server.products.models import Product
from ota_server.rollouts import cohorts
from ota_server.telemetry import errors

ERROR_DAYS = 30
GROUPS_SHOWN = 100


class LogPages:
    """What devices did and said, as it comes in."""

    def __init__(self, frame: Frame) -> None:
        self._frame = frame

    def routes(self) -> list[Route]:
        page, base = self._frame.page, "/products/{product}"
        return [
            Route(f"{base}/log", page(self._show)),
            Route(f"{base}/log.csv", page(self._export)),
            Route(f"{base}/errors", page(self._show_errors)),
        ]

    def views(self) -> dict[str, View]:
        return {"log": View(("log-entries",), self._read)}

    async def _show(self, request: Request, visitor: Visitor) -> Response:
        product = await self._frame.product(request, visitor)

        def read(connection: Connection) -> Context:
            names = [one.name for one in cohorts.of_product(connection, product.id)]
            return {**self._read(connection, product, "", request.query_params), "cohorts": names}

        context = await self._frame.read(read)
        return self._frame.render("log.html", visitor, product, {**context, "kinds": log_filter.KINDS})

    async def _export(self, request: Request, visitor: Visitor) -> Response:
        product = await self._frame.product(request, visitor)
        asked, now_ms = log_filter.parse(request.query_params), self._frame.now_ms()
        wanted = await self._frame.read(lambda connection: log_filter.wanted(connection, product, asked, now_ms))
        headers = {**HEADERS, "content-disposition": f'attachment; filename="log-{product.slug}.csv"'}
        lines = csv_lines(self._frame.services, product, wanted)
        return StreamingResponse(lines, media_type="text/csv", headers=headers)

    async def _show_errors(self, request: Request, visitor: Visitor) -> Response:
        product = await self._frame.product(request, visitor)
        since_ms = self._frame.now_ms() - ERROR_DAYS * DAY_MS
        found = await self._frame.read(lambda connection: errors.grouped(connection, product.id, since_ms))
        context: Context = {"found": found, "days": ERROR_DAYS, "looked": errors.LOOKED_MAX, "shown": GROUPS_SHOWN}
        return self._frame.render("errors.html", visitor, product, context)

    def _read(self, connection: Connection, product: Product, _name: str, query: QueryParams) -> Context:
        asked = log_filter.parse(query)
        return {"page": log_filter.read(connection, product, asked, self._frame.now_ms()), "asked": asked}
