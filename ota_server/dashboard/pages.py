# SPDX-License-Identifier: Apache-2.0
"""All pages. They are whole without JavaScript; with it, regions of a page are replaced when they change."""

from __future__ import annotations

import asyncio
import re
from urllib.parse import quote

from starlette.applications import Starlette
from starlette.datastructures import QueryParams
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from ota_server.api.body import BodyLimit
from ota_server.api.errors import unexpected_sentence
from ota_server.dashboard import brand_pages, security, static_files
from ota_server.dashboard.account_pages import AccountPages
from ota_server.dashboard.audit_pages import AuditPages
from ota_server.dashboard.branding_pages import BrandingPages
from ota_server.dashboard.client_pages import ClientPages
from ota_server.dashboard.cohort_pages import CohortPages
from ota_server.dashboard.consent import Consent
from ota_server.dashboard.customer_pages import CustomerPages
from ota_server.dashboard.device_add_pages import FILE_MAX, DeviceAddPages
from ota_server.dashboard.device_change_pages import DeviceChangePages
from ota_server.dashboard.device_list_pages import DeviceListPages
from ota_server.dashboard.device_pages import DevicePages
from ota_server.dashboard.frame import Frame
from ota_server.dashboard.home_pages import HomePages
from ota_server.dashboard.live import ORGANIZATION_PAUSE_S, LivePages
from ota_server.dashboard.log_pages import LogPages
from ota_server.dashboard.organization_pages import OrganizationPages, products_shown
from ota_server.dashboard.overview_pages import OverviewPages
from ota_server.dashboard.own_account_pages import OwnAccountPages
from ota_server.dashboard.own_token_pages import OwnTokenPages
from ota_server.dashboard.release_pages import ReleasePages
from ota_server.dashboard.rollout_pages import RolloutPages
from ota_server.dashboard.search_pages import SearchPages
from ota_server.dashboard.security import Visitor
from ota_server.dashboard.settings_pages import SettingsPages
from ota_server.dashboard.setup_pages import SetupPages
from ota_server.dashboard.simulated_pages import SimulatedPages
from ota_server.dashboard.storefront_pages import StorefrontPages
from ota_server.dashboard.team_pages import TeamPages
from ota_server.dashboard.upload_pages import FILES_SIZE_MAX, UploadPages
from ota_server.dashboard.webhook_pages import WebhookPages
from ota_server.dashboard.wizard_pages import WizardPages
from ota_server.errors import NotFound, ServerError
from ota_server.organizations.branding import LOGO_SIZE_MAX
from ota_server.organizations.roles import Permission
from ota_server.products.models import Product
from ota_server.services import Services

FORM_SIZE_MAX = 64 * 1024
LARGER_FORMS = {
    re.compile(r"/organizations/[^/]+/branding/logo"): LOGO_SIZE_MAX + FORM_SIZE_MAX,
    re.compile(r"/products/[^/]+/devices/add"): FILE_MAX + FORM_SIZE_MAX,
    re.compile(r"/products/[^/]+/releases/upload"): FILES_SIZE_MAX + FORM_SIZE_MAX,
}


class Dashboard:
    """The pages over one server's parts."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._frame = frame = Frame(services)
        self._live_pages = LivePages(services.feed)
        self._organizations = OrganizationPages(frame)
        overview, devices, log, rollouts = (
            OverviewPages(frame),
            DevicePages(frame),
            LogPages(frame),
            RolloutPages(frame),
        )
        self._views = {**overview.views(), **devices.views(), **log.views(), **rollouts.views()}
        self._routes = [
            *HomePages(frame).routes(),
            *SearchPages(frame).routes(),
            *brand_pages.routes(services),
            *AccountPages(services, frame.render_alone).routes(),
            *StorefrontPages(services, frame.render_alone).routes(),
            *Consent(frame).routes(),
            *SetupPages(frame).routes(),
            *self._organizations.routes(),
            *TeamPages(frame).routes(),
            *AuditPages(frame).routes(),
            *SettingsPages(frame).routes(),
            *BrandingPages(frame).routes(),
            *WebhookPages(frame).routes(),
            *ClientPages(frame).routes(),
            *OwnAccountPages(frame).routes(),
            *OwnTokenPages(frame).routes(),
            *overview.routes(),
            *DeviceListPages(frame).routes(),
            *DeviceChangePages(frame).routes(),
            *DeviceAddPages(frame).routes(),
            *SimulatedPages(frame).routes(),
            *devices.routes(),
            *CustomerPages(frame).routes(),
            *log.routes(),
            *ReleasePages(frame).routes(),
            *UploadPages(frame).routes(),
            *WizardPages(frame).routes(),
            *rollouts.routes(),
            *CohortPages(frame).routes(),
        ]

    def app(self) -> Starlette:
        """The application to be mounted at the root."""
        live = "/products/{product}/live/{view}"
        return Starlette(
            routes=[
                *self._routes,
                Route(live, self._frame.page(self._live)),
                Route(f"{live}/{{name}}", self._frame.page(self._live)),
                Route("/organizations/{organization}/live/{view}", self._frame.page(self._live_organization)),
                static_files.route(),
            ],
            middleware=[Middleware(BodyLimit, size_max=FORM_SIZE_MAX, larger=LARGER_FORMS)],
            exception_handlers={
                ServerError: self._on_server_error,
                HTTPException: self._on_http_error,
                security.SignInNeeded: _on_sign_in_needed,
                Exception: self._on_unexpected,
            },
        )

    def regions(self, product: Product, view: str, name: str, query: QueryParams, visitor: Visitor) -> dict[str, str]:
        """The parts of a page that change by themselves: element id -> HTML. Raises NotFound, Invalid."""
        found = self._views.get(view)
        if found is None:
            raise NotFound("there is no such view")
        with self._services.database.read() as connection:
            context = found.read(connection, product, name, query)
        return self._frame.parts(found.parts, visitor, product, context)

    async def _live(self, request: Request, visitor: Visitor) -> Response:
        product = await self._frame.product(request, visitor)
        view, name = request.path_params["view"], request.path_params.get("name", "")

        def regions() -> dict[str, str]:
            now = self._still_in(request, product.organization_id)
            return self.regions(product, view, name, request.query_params, now)

        await asyncio.to_thread(regions)
        return self._live_pages.stream(visitor.account.id, [product.id], regions)

    async def _live_organization(self, request: Request, visitor: Visitor) -> Response:
        organization = self._frame.organization(request, visitor, Permission.VIEW)
        if request.path_params["view"] != "overview":
            raise NotFound("there is no such view")

        def regions() -> dict[str, str]:
            return self._organizations.regions(self._still_in(request, organization.id), organization.id)

        await asyncio.to_thread(regions)
        shown = [one.id for one in products_shown(visitor, organization.id)]
        return self._live_pages.stream(visitor.account.id, shown, regions, ORGANIZATION_PAUSE_S)

    def _still_in(self, request: Request, organization_id: int) -> Visitor:
        """Who has a page open, with what they may do by now. Raises NotFound."""
        now = security.find_session(request, self._services)
        if now is None or not now.actor.may(organization_id, Permission.VIEW):
            raise NotFound("signed out, or not in the team any more")
        return now

    async def _on_server_error(self, _request: Request, error: Exception) -> Response:
        assert isinstance(error, ServerError)
        return self._error_page(error.status, str(error))

    async def _on_http_error(self, _request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        return self._error_page(error.status_code, str(error.detail))

    async def _on_unexpected(self, _request: Request, _error: Exception) -> Response:
        return self._error_page(500, unexpected_sentence())

    def _error_page(self, status: int, text: str) -> Response:
        return self._frame.render_alone("error.html", {"status": status, "text": text}, status)


async def _on_sign_in_needed(_request: Request, error: Exception) -> Response:
    assert isinstance(error, security.SignInNeeded)
    return RedirectResponse(f"/sign-in?next={quote(error.path)}", 303, security.HEADERS)
