# SPDX-License-Identifier: Apache-2.0
"""The first page of an organization."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ota_server.dashboard.frame import Context, Frame
from ota_server.dashboard.security import Visitor
from ota_server.organizations.roles import Permission


class OrganizationPages:
    """Its products."""

    def __init__(self, frame: Frame) -> None:
        self._frame = frame

    def routes(self) -> list[Route]:
        return [Route("/organizations/{organization}", self._frame.page(self._show))]

    async def _show(self, request: Request, visitor: Visitor) -> Response:
        organization = self._frame.organization(request, visitor, Permission.VIEW)
        context: Context = {"products": [one for one in visitor.products if one.organization_id == organization.id]}
        return self._frame.render("organization.html", visitor, organization, context)
