# SPDX-License-Identifier: Apache-2.0
"""The first page of an organization."""

from __future__ import annotations

from sqlalchemy import Connection
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ota_server.dashboard.frame import Context, Frame
from ota_server.dashboard.overview_facts import PRODUCTS_SHOWN, organization_overview
from ota_server.dashboard.security import Visitor
from ota_server.organizations.roles import Permission
from ota_server.products.models import Product

PARTS = ("tiles", "organization-rollouts", "attention", "products")
"""What changes by itself: templates in `templates/parts`, which are the ids of their elements too."""


class OrganizationPages:
    """The five questions over all of its products, what runs, what needs attention."""

    def __init__(self, frame: Frame) -> None:
        self._frame = frame

    def routes(self) -> list[Route]:
        return [Route("/organizations/{organization}", self._frame.page(self._show))]

    async def _show(self, request: Request, visitor: Visitor) -> Response:
        organization = self._frame.organization(request, visitor, Permission.VIEW)
        context = await self._frame.read(lambda connection: self._context(connection, visitor, organization.id))
        return self._frame.render("organization.html", visitor, organization, context)

    def regions(self, visitor: Visitor, organization_id: int) -> dict[str, str]:
        """The parts of the page that change by themselves: element id -> HTML."""
        with self._frame.services.database.read() as connection:
            context = self._context(connection, visitor, organization_id)
        return self._frame.parts(PARTS, visitor, visitor.actor.organizations[organization_id], context)

    def _context(self, connection: Connection, visitor: Visitor, organization_id: int) -> Context:
        organization = visitor.actor.organizations[organization_id]
        shown, threshold = products_shown(visitor, organization_id), self._frame.release_threshold
        of_all = sum(one.organization_id == organization_id for one in visitor.products)
        return {
            "overview": organization_overview(connection, organization, shown, threshold, self._frame.now_ms()),
            "hidden": of_all - len(shown),
        }


def products_shown(visitor: Visitor, organization_id: int) -> list[Product]:
    """The first PRODUCTS_SHOWN of an organization's products."""
    return [one for one in visitor.products if one.organization_id == organization_id][:PRODUCTS_SHOWN]
