# SPDX-License-Identifier: Apache-2.0
"""A product's customers, as its team sees them."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ota_server.accounts.addresses import EMAIL_MAX
from ota_server.dashboard.customer_facts import customers_page
from ota_server.dashboard.frame import ROWS_PER_PAGE, Context, Frame, page_number, paging
from ota_server.dashboard.security import Visitor
from ota_server.organizations.roles import Permission


class CustomerPages:
    """Who owns devices, and who uses them."""

    def __init__(self, frame: Frame) -> None:
        self._frame = frame

    def routes(self) -> list[Route]:
        return [Route("/products/{product}/customers", self._frame.page(self._list))]

    async def _list(self, request: Request, visitor: Visitor) -> Response:
        product = await self._frame.product(request, visitor, Permission.VIEW_CUSTOMERS)
        search = request.query_params.get("search", "")[:EMAIL_MAX]
        page, now_ms = page_number(request), self._frame.now_ms()
        found, total, active = await self._frame.read(
            lambda connection: customers_page(connection, product, search, page, ROWS_PER_PAGE, now_ms)
        )
        context: Context = {
            "customers": found,
            "active": active,
            "search": search,
            **paging(page, total, {"search": search}),
        }
        return self._frame.render("customers.html", visitor, product, context)
