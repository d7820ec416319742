# SPDX-License-Identifier: Apache-2.0
"""Settings of an organization and of a product; making either; removing a product."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from muster.layout import ID_MAX
from ota_server.dashboard.forms import Filled, filled, number
from ota_server.dashboard.frame import Context, Frame, go
from ota_server.dashboard.security import Visitor, text_of
from ota_server.errors import Invalid, ServerError
from ota_server.organizations import service as organizations
from ota_server.organizations.models import Organization
from ota_server.organizations.roles import Permission
from ota_server.products import service as products
from ota_server.products.models import PATCH_WAIT_MAX, Claiming, Product, Reprogrammers
from ota_server.products.service import KEEP_DAYS_MAX, NewProduct
from ota_server.usage import service as limits

CLAIMING = (
    (Claiming.CODE.value, "with the claim code that the device tells"),
    (Claiming.ID.value, "by naming the device's id"),
    (Claiming.OFF.value, "not at all: only the team gives devices an owner"),
)
REPROGRAMMERS = (
    (Reprogrammers.DEVELOPERS.value, "everybody whose role or token allows it"),
    (Reprogrammers.ADMINISTRATORS.value, "administrators only"),
)
TRUST = (("no", "waits for approval"), ("yes", "is trusted at once"))
_NUMBERS = {"check_in_interval_s": 86_400, "quarantine_max": 100_000, "patch_wait": PATCH_WAIT_MAX}


class SettingsPages:
    """What a team sets."""

    def __init__(self, frame: Frame) -> None:
        self._frame = frame

    def routes(self) -> list[Route]:
        page, organization, product = self._frame.page, "/organizations/{organization}", "/products/{product}/settings"
        return [
            Route("/new-organization", page(self._new_organization), methods=["GET"]),
            Route("/new-organization", page(self._make_organization), methods=["POST"]),
            Route(f"{organization}/settings", page(self._show_organization), methods=["GET"]),
            Route(f"{organization}/settings", page(self._rename), methods=["POST"]),
            Route(f"{organization}/new-product", page(self._new_product), methods=["GET"]),
            Route(f"{organization}/new-product", page(self._make_product), methods=["POST"]),
            Route(product, page(self._show_product), methods=["GET"]),
            Route(product, page(self._change_product), methods=["POST"]),
            Route(f"{product}/remove", page(self._remove_product), methods=["POST"]),
        ]

    # An organization

    async def _new_organization(self, _request: Request, visitor: Visitor) -> Response:
        return self._frame.render("new-organization.html", visitor, None, {"filled": Filled()})

    async def _make_organization(self, request: Request, visitor: Visitor) -> Response:
        form = await self._frame.form(request, visitor)
        name = text_of(form.get("name"))

        def write(connection: Connection, now_ms: int) -> Organization:
            made = organizations.create(connection, name, visitor.account.id, now_ms)
            limits.check_organizations(connection, visitor.account.id)
            return made

        try:
            made = await self._frame.act(visitor, "organization.create", name, write, None)
        except ServerError as error:
            again = filled("organization", form, error)
            return self._frame.render("new-organization.html", visitor, None, {"filled": again}, error.status)
        return go(f"/organizations/{made.slug}")

    async def _show_organization(self, request: Request, visitor: Visitor) -> Response:
        organization = self._frame.organization(request, visitor, Permission.VIEW)
        return self._frame.render("organization-settings.html", visitor, organization, {"filled": Filled()})

    async def _rename(self, request: Request, visitor: Visitor) -> Response:
        form = await self._frame.form(request, visitor)
        organization = self._frame.organization(request, visitor, Permission.MANAGE_TEAM)
        name = text_of(form.get("name"))
        try:
            await self._frame.act(
                visitor,
                "organization.rename",
                organization.slug,
                lambda connection, _now_ms: organizations.rename(connection, organization, name),
                organization,
                name,
            )
        except ServerError as error:
            context: Context = {"filled": filled("organization", form, error)}
            return self._frame.render("organization-settings.html", visitor, organization, context, error.status)
        return go(f"/organizations/{organization.slug}/settings")

    # A product

    async def _new_product(self, request: Request, visitor: Visitor) -> Response:
        organization = self._frame.organization(request, visitor, Permission.MANAGE_PRODUCTS)
        return self._frame.render("new-product.html", visitor, organization, {"filled": Filled(), "trust": TRUST})

    async def _make_product(self, request: Request, visitor: Visitor) -> Response:
        form = await self._frame.form(request, visitor)
        organization = self._frame.organization(request, visitor, Permission.MANAGE_PRODUCTS)
        try:
            new = NewProduct(
                number(form, "id", ID_MAX), text_of(form.get("name")), auto_approve=form.get("auto_approve") == "yes"
            )
            made = await self._frame.act(
                visitor,
                "product.create",
                str(new.id),
                lambda connection, now_ms: products.create(connection, organization.id, new, now_ms),
                organization,
            )
        except ServerError as error:
            context: Context = {"filled": filled("product", form, error), "trust": TRUST}
            return self._frame.render("new-product.html", visitor, organization, context, error.status)
        return go(f"/products/{made.slug}")

    async def _show_product(self, request: Request, visitor: Visitor) -> Response:
        product = await self._frame.product(request, visitor, Permission.MANAGE_PRODUCTS)
        return self._product_page(visitor, product, Filled())

    def _product_page(self, visitor: Visitor, product: Product, form: Filled) -> Response:
        context: Context = {"filled": form, "claiming": CLAIMING, "reprogrammers": REPROGRAMMERS, "trust": TRUST}
        return self._frame.render("product-settings.html", visitor, product, context, form.status)

    async def _change_product(self, request: Request, visitor: Visitor) -> Response:
        form = await self._frame.form(request, visitor)
        product = await self._frame.product(request, visitor, Permission.MANAGE_PRODUCTS)
        try:
            changes = _changes(product, form)
            if changes:
                await self._frame.act(
                    visitor,
                    "product.change",
                    str(product.id),
                    lambda connection, _now_ms: products.change(connection, product, changes),
                    product,
                    ", ".join(f"{key}={value}" for key, value in changes.items() if key != "description"),
                )
        except ServerError as error:
            return self._product_page(visitor, product, filled("settings", form, error))
        return go(f"/products/{product.slug}/settings")

    async def _remove_product(self, request: Request, visitor: Visitor) -> Response:
        form = await self._frame.form(request, visitor)
        product = await self._frame.product(request, visitor, Permission.MANAGE_PRODUCTS)
        try:
            if text_of(form.get("typed")).strip() != product.slug:
                raise Invalid(f"type {product.slug} to remove it", "typed")
            await self._frame.act(
                visitor,
                "product.remove",
                str(product.id),
                lambda connection, _now_ms: products.remove(connection, product),
                product,
            )
        except ServerError as error:
            return self._product_page(visitor, product, filled("remove", form, error))
        return go(f"/organizations/{visitor.actor.organizations[product.organization_id].slug}")


def _changes(product: Product, form: FormData) -> dict[str, Any]:
    """What the form says otherwise than the product. Raises Invalid."""
    wanted: dict[str, Any] = {
        "name": text_of(form.get("name")).strip(),
        "description": text_of(form.get("description")).replace("\r\n", "\n"),
        "auto_approve": form.get("auto_approve") == "yes",
        "time_zone": text_of(form.get("time_zone")).strip() or None,
        **{name: number(form, name, most) for name, most in _NUMBERS.items()},
    }
    for name in ("keep_logs_days", "keep_events_days"):
        wanted[name] = number(form, name, KEEP_DAYS_MAX) if text_of(form.get(name)).strip() else None
    for name, kind in (("claiming", Claiming), ("reprogrammers", Reprogrammers)):
        try:
            wanted[name] = kind(text_of(form.get(name)))
        except ValueError as error:
            raise Invalid("choose one of these", name) from error
    return {name: value for name, value in wanted.items() if value != getattr(product, name)}
