# SPDX-License-Identifier: Apache-2.0
"""A product's saved cohorts, and which devices an expression holds now."""

from __future__ import annotations

from urllib.parse import urlencode

from sqlalchemy import Connection
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from muster.layout import platform_name
from ota_server.dashboard import counted_so_far, security
from ota_server.dashboard.cohort_form import CohortForm, field_names
from ota_server.dashboard.frame import Context, Frame, go
from ota_server.dashboard.security import Visitor
from ota_server.devices import groups, walk
from ota_server.errors import Conflict, Invalid, NotFound, ServerError
from ota_server.organizations.roles import Permission
from ota_server.products.models import Product
from ota_server.rollouts import attributes, cohorts
from ota_server.rollouts.cohort import Operator
from ota_server.rollouts.preview import preview, sampled

_NEW: Context = {"name": "", "description": "", "saved": None, "used_by": [], "wrong": {}}


class CohortPages:
    """The list, one cohort's page, and the preview that other pages show too."""

    def __init__(self, frame: Frame) -> None:
        self._frame = frame

    def routes(self) -> list[Route]:
        page, base = self._frame.page, "/products/{product}/cohorts"
        # No cohort has such a name: what is made or tried has a place of its own.
        new, tried = "/products/{product}/new-cohort", "/products/{product}/cohort-preview"
        return [
            Route(base, page(self._list)),
            Route(new, page(self._new)),
            Route(new, page(self._create), methods=["POST"]),
            Route(tried, page(self._preview)),
            Route(f"{base}/{{cohort}}", page(self._show)),
            Route(f"{base}/{{cohort}}", page(self._change), methods=["POST"]),
            Route(f"{base}/{{cohort}}/remove", page(self._ask_remove)),
            Route(f"{base}/{{cohort}}/remove", page(self._remove), methods=["POST"]),
        ]

    async def _list(self, request: Request, visitor: Visitor) -> Response:
        product = await self._frame.product(request, visitor)
        listed = await self._frame.read(lambda connection: cohorts.of_product(connection, product.id))
        return self._frame.render("cohorts.html", visitor, product, {"cohorts": listed})

    async def _new(self, request: Request, visitor: Visitor) -> Response:
        product = await self._frame.product(request, visitor, Permission.CONTROL_FIRMWARE)
        given = dict(request.query_params)
        form = CohortForm.of_fields(given) if given else CohortForm(who="rows")
        return await self._page(visitor, product, form, _NEW)

    async def _show(self, request: Request, visitor: Visitor) -> Response:
        product, name = await self._frame.product(request, visitor), request.path_params["cohort"]
        saved = await self._frame.read(lambda connection: cohorts.find(connection, product.id, name))
        form = CohortForm.of_cohort(saved.cohort)
        return await self._page(visitor, product, form, await self._of_saved(product, name))

    async def _create(self, request: Request, visitor: Visitor) -> Response:
        sent = await self._frame.form(request, visitor)
        product = await self._frame.product(request, visitor, Permission.CONTROL_FIRMWARE)
        form = CohortForm.of_fields(_texts(sent))
        name, description = security.text_of(sent.get("name"))[:65], security.text_of(sent.get("description"))
        try:
            cohort = form.parse()

            def work(connection: Connection, _now_ms: int) -> None:
                cohorts.create(connection, product, name, cohort, description)

            await self._frame.act(visitor, "cohort.create", f"{product.id} {name}", work, product)
        except (Invalid, Conflict, NotFound) as error:
            context = {**_NEW, "name": name, "description": description, "wrong": _said(error, "name")}
            return await self._page(visitor, product, form, context, 400)
        return go(f"/products/{product.slug}/cohorts/{name}")

    async def _change(self, request: Request, visitor: Visitor) -> Response:
        sent = await self._frame.form(request, visitor)
        product = await self._frame.product(request, visitor, Permission.CONTROL_FIRMWARE)
        name, form = request.path_params["cohort"], CohortForm.of_fields(_texts(sent))
        description = security.text_of(sent.get("description"))
        known = await self._of_saved(product, name)
        try:
            cohort = form.parse()

            def work(connection: Connection, _now_ms: int) -> None:
                cohorts.change(connection, product, name, cohort, description)

            await self._frame.act(visitor, "cohort.change", f"{product.id} {name}", work, product)
        except (Invalid, Conflict, NotFound) as error:
            context = {**known, "description": description, "wrong": _said(error, "who")}
            return await self._page(visitor, product, form, context, 400)
        return go(f"/products/{product.slug}/cohorts/{name}")

    async def _ask_remove(self, request: Request, visitor: Visitor) -> Response:
        product = await self._frame.product(request, visitor, Permission.CONTROL_FIRMWARE)
        context = await self._of_saved(product, request.path_params["cohort"])
        return self._frame.render("cohort-remove.html", visitor, product, context)

    async def _remove(self, request: Request, visitor: Visitor) -> Response:
        await self._frame.form(request, visitor)
        product = await self._frame.product(request, visitor, Permission.CONTROL_FIRMWARE)
        name = request.path_params["cohort"]

        def work(connection: Connection, _now_ms: int) -> None:
            cohorts.remove(connection, product, name)

        await self._frame.act(visitor, "cohort.remove", f"{product.id} {name}", work, product)
        return go(f"/products/{product.slug}/cohorts")

    async def _preview(self, request: Request, visitor: Visitor) -> Response:
        """A part of a page: how many devices what was typed holds, and some of them; or how far the count has got."""
        product = await self._frame.product(request, visitor, Permission.VIEW_DEVICES)
        given, now_ms = dict(request.query_params), self._frame.now_ms()
        carried = given.pop("so_far", "")

        def read(connection: Connection) -> Context:
            try:
                cohort = CohortForm.of_fields(given).parse()
                cohorts.check_names(connection, product, cohort)
                enough = walk.for_seconds()
                seen = preview(connection, product.id, cohort, now_ms, counted_so_far.from_text(carried), enough)
            except (Invalid, NotFound) as error:
                return {"seen": None, "why": str(error)}
            platforms = [
                (platform_name(one) if one is not None else "unknown board", count)
                for one, count in seen.platforms.items()
            ]
            return {
                "seen": seen,
                "sample": sampled(connection, product.id, seen.rows),
                "in_words": cohort.in_words(),
                "platforms": platforms,
                "why": "",
                "next": "" if seen.is_done else urlencode({**given, "so_far": counted_so_far.to_text(seen)}),
            }

        context = await self._frame.read(read)
        template = "parts/cohort-preview.html" if "hx-request" in request.headers else "cohort-count.html"
        return self._frame.render(template, visitor, product, context)

    async def _of_saved(self, product: Product, name: str) -> Context:
        def read(connection: Connection) -> Context:
            saved = cohorts.find(connection, product.id, name)
            used_by = cohorts.used_by(connection, product.id, name)
            return {
                "name": saved.name,
                "description": saved.description,
                "saved": saved,
                "used_by": used_by,
                "wrong": {},
            }

        return await self._frame.read(read)

    async def _page(
        self, visitor: Visitor, product: Product, form: CohortForm, context: Context, status: int = 200
    ) -> Response:
        choices = await self._frame.read(lambda connection: cohort_choices(connection, product))
        # A saved cohort names no other one.
        shown = {
            **context,
            **choices,
            "form": {"cohort": form},
            "saved_cohorts": [],
            "count_link": urlencode(form.fields()),
        }
        return self._frame.render("cohort.html", visitor, product, shown, status)


def cohort_choices(connection: Connection, product: Product) -> Context:
    """What the fields of a cohort offer."""
    return {
        "count_link": "",
        "saved_cohorts": [(one.name, one.name) for one in cohorts.of_product(connection, product.id)],
        "groups": [(name, name) for name in groups.names(connection, product)],
        "fields": field_names(attributes.names()),
        "operators": [(one.value, one.in_words) for one in Operator],
    }


def _texts(sent: object) -> dict[str, str]:
    return {name: security.text_of(value) for name, value in dict(sent).items()}  # type: ignore[call-overload]


def _said(error: ServerError, default: str) -> dict[str, str]:
    """What was wrong, beside the input that it is about."""
    field = error.field or default
    return {default if field == "cohort" else field: str(error)}
