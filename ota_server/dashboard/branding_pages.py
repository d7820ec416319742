# SPDX-License-Identifier: Apache-2.0
"""How an organization's customers see it: set here, and looked at before it is saved."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from starlette.datastructures import FormData, UploadFile
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ota_server.accounts.addresses import normal_email
from ota_server.dashboard.forms import Filled, filled
from ota_server.dashboard.frame import Context, Frame, go
from ota_server.dashboard.security import Visitor, text_of
from ota_server.errors import Invalid, ServerError
from ota_server.organizations import branding
from ota_server.organizations.branding import CONTRAST_MIN, Branding
from ota_server.organizations.models import Organization
from ota_server.organizations.roles import Permission


class BrandingPages:
    """Name, address for help, colours and logo."""

    def __init__(self, frame: Frame) -> None:
        self._frame = frame

    def routes(self) -> list[Route]:
        page, base = self._frame.page, "/organizations/{organization}/branding"
        return [
            Route(base, page(self._show), methods=["GET"]),
            Route(base, page(self._set), methods=["POST"]),
            Route(f"{base}/logo", page(self._set_logo), methods=["POST"]),
        ]

    async def _show(self, request: Request, visitor: Visitor) -> Response:
        organization = self._frame.organization(request, visitor, Permission.VIEW)
        brand = await self._now(organization)
        return self._page(visitor, organization, brand, brand, Filled())

    async def _now(self, organization: Organization) -> Branding:
        return await self._frame.read(lambda connection: branding.of_organization(connection, organization))

    def _page(
        self, visitor: Visitor, organization: Organization, kept: Branding, shown: Branding, form: Filled
    ) -> Response:
        """`shown`: what the preview is made of."""
        context: Context = {
            "kept": kept,
            "brand": shown,
            "preview_path": f"/brand/previews/{shown.color[1:]}-{shown.background[1:]}.css",
            "contrast": branding.contrast(shown.color, shown.background),
            "contrast_min": CONTRAST_MIN,
            "filled": form,
        }
        return self._frame.render("branding.html", visitor, organization, context, form.status)

    async def _set(self, request: Request, visitor: Visitor) -> Response:
        form = await self._frame.form(request, visitor)
        organization = self._frame.organization(request, visitor, Permission.MANAGE_TEAM)
        kept = await self._now(organization)
        try:
            wanted = replace(
                kept,
                name=text_of(form.get("name")).strip(),
                support_email=normal_email(text_of(form.get("support_email"))),
                color=text_of(form.get("color")).strip().lower(),
                background=text_of(form.get("background")).strip().lower(),
            )
        except Invalid as error:
            return self._page(visitor, organization, kept, kept, filled("brand", form, error))
        if form.get("answer") == "preview":
            fields = {name: text_of(value) for name, value in form.items()}
            return self._page(visitor, organization, kept, wanted, Filled("brand", fields))
        await self._keep(visitor, organization, wanted)
        return go(_path(organization))

    async def _set_logo(self, request: Request, visitor: Visitor) -> Response:
        form = await self._frame.form(request, visitor, files=1)
        try:
            return await self._take_logo(request, visitor, form)
        finally:
            await form.close()

    async def _take_logo(self, request: Request, visitor: Visitor, form: FormData) -> Response:
        organization = self._frame.organization(request, visitor, Permission.MANAGE_TEAM)
        kept = await self._now(organization)
        try:
            digest = "" if form.get("answer") == "remove" else await self._frame.beside(self._upload(form))
        except ServerError as error:
            return self._page(visitor, organization, kept, kept, filled("logo", form, error))
        await self._keep(visitor, organization, replace(kept, logo=digest))
        return go(_path(organization))

    def _upload(self, form: FormData) -> Callable[[], str]:
        """Keeps the form's file; the work returns its digest, and raises Invalid."""
        sent = form.get("file")

        def work() -> str:
            if not isinstance(sent, UploadFile) or not sent.filename:
                raise Invalid("choose a PNG file", "file")
            raw = sent.file.read(branding.LOGO_SIZE_MAX + 1)
            branding.check_logo(raw)
            return self._frame.services.jobs.kept.put(raw).hex()

        return work

    async def _keep(self, visitor: Visitor, organization: Organization, brand: Branding) -> None:
        await self._frame.act(
            visitor,
            "organization.brand",
            brand.name,
            lambda connection, _now_ms: branding.keep(connection, organization, brand),
            organization,
        )


def _path(organization: Organization) -> str:
    return f"/organizations/{organization.slug}/branding"
