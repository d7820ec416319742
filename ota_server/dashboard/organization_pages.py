# SPDX-License-Identifier: Apache-2.0
"""The first page of an organization."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ota_server.dashboard.frame import Context, Frame
from ota_server.dashboard.overview_facts import organization_overview
from ota_server.dashboard.security import Visitor
from ota_server.organizations.roles import Permission


class OrganizationPages:
    """The five questions over all of its products, what runs, what needs attention."""

    def __init__(self, frame: Frame) -> None:
        self._frame = frame

    def routes(self) -> list[Route]:
        return [Route("/organizations/{organization}", self._frame.page(self._show))]

    async def _show(self, request: Request, visitor: Visitor) -> Response:
        organization = self._frame.organization(request, visitor, Permission.VIEW)
        products = [one for one in visitor.products if one.organization_id == organization.id]
        threshold, now_ms = self._frame.release_threshold, self._frame.now_ms()
        found = await self._frame.read(
            lambda connection: organization_overview(connection, organization, products, threshold, now_ms)
        )
        context: Context = {"overview": found, "hidden": len(products) - len(found.products)}
        return self._frame.render("organization.html", visitor, organization, context)
