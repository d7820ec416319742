# SPDX-License-Identifier: Apache-2.0
"""The pages' routes. Pages are whole without JavaScript; with it, regions of a page are replaced when they change."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar
from urllib.parse import quote

from jinja2 import Environment
from sqlalchemy import Connection
from starlette.applications import Starlette
from starlette.datastructures import QueryParams
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from ota_server.accounts import service as accounts
from ota_server.accounts.addresses import EMAIL_MAX
from ota_server.api.body import BodyLimit
from ota_server.api.context import act
from ota_server.api.errors import unexpected_sentence
from ota_server.dashboard import brand_pages, facts, log_filter, security
from ota_server.dashboard.account_pages import AccountPages
from ota_server.dashboard.consent import Consent
from ota_server.dashboard.customer_pages import CustomerPages
from ota_server.dashboard.live import LivePages
from ota_server.dashboard.render import FOLDER, make_environment
from ota_server.dashboard.security import Visitor
from ota_server.devices import search as devices_search
from ota_server.devices import service as devices_service
from ota_server.devices.search import Search
from ota_server.errors import Invalid, NotFound, ServerError
from ota_server.organizations import service as organizations
from ota_server.organizations import store as organizations_store
from ota_server.organizations.models import Invitation
from ota_server.organizations.roles import Permission
from ota_server.products.models import Product
from ota_server.releases import store as releases
from ota_server.rollouts import cohorts
from ota_server.rollouts import service as rollouts_service
from ota_server.rollouts import store as rollouts
from ota_server.services import Services

FORM_SIZE_MAX = 64 * 1024
ROWS_PER_PAGE = 50
DETAIL = "dashboard"
"""What the audit log says of a change that was made here."""

T = TypeVar("T")

Page = Callable[[Request, Visitor], Awaitable[Response]]
Context = dict[str, object]


class Dashboard:
    """The pages over one server's parts."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._environment: Environment = make_environment()
        self._live_pages = LivePages(services.feed)

    def app(self) -> Starlette:
        """The application to be mounted at the root."""
        product = "/products/{product}"
        return Starlette(
            routes=[
                Route("/", self._page(self._home)),
                *brand_pages.routes(self._services),
                *AccountPages(self._services, self._render_alone).routes(),
                *CustomerPages(self._services, self._render_alone).routes(),
                *Consent(self._services, self._render_for).routes(),
                Route("/sign-out", self._page(self._sign_out), methods=["POST"]),
                Route("/invitations/{organization}", self._page(self._answer), methods=["POST"]),
                Route(product, self._page(self._overview)),
                Route(f"{product}/devices", self._page(self._devices)),
                Route(f"{product}/devices/{{device}}", self._page(self._device)),
                Route(f"{product}/devices/{{device}}/approve", self._page(self._approve), methods=["POST"]),
                Route(f"{product}/customers", self._page(self._customers)),
                Route(f"{product}/log", self._page(self._log)),
                Route(f"{product}/releases", self._page(self._releases)),
                Route(f"{product}/rollouts", self._page(self._rollouts)),
                Route(f"{product}/rollouts/{{rollout:int}}", self._page(self._rollout)),
                Route(f"{product}/rollouts/{{rollout:int}}/{{verb}}", self._page(self._move), methods=["POST"]),
                Route(f"{product}/live/{{view}}", self._page(self._live)),
                Route(f"{product}/live/{{view}}/{{name}}", self._page(self._live)),
                Mount("/static", StaticFiles(directory=FOLDER / "static")),
            ],
            middleware=[Middleware(BodyLimit, size_max=FORM_SIZE_MAX)],
            exception_handlers={
                ServerError: self._on_server_error,
                HTTPException: self._on_http_error,
                security.SignInNeeded: _on_sign_in_needed,
                Exception: self._on_unexpected,
            },
        )

    def regions(self, product: Product, view: str, name: str, query: QueryParams, session: Visitor) -> dict[str, str]:
        """The parts of a page that change by themselves: element id -> HTML. Raises NotFound, Invalid."""
        parts: tuple[str, ...]
        with self._services.database.read() as connection:
            if view == "overview":
                context = self._overview_context(connection, product)
                parts = ("tiles", "rollouts", "attention", "versions")
            elif view == "rollout" and name.isdecimal() and len(name) < 10:
                found = rollouts_service.get(connection, product, int(name))
                context, parts = (
                    {"item": facts.rollout_facts(connection, found, self._now_ms())},
                    ("rollout-state", "rollout-reasons"),
                )
            elif view == "log":
                asked = log_filter.parse(query)
                context, parts = {"page": log_filter.read(connection, product, asked), "asked": asked}, ("log-entries",)
            elif view == "device":
                context, parts = self._device_context(connection, product, name), ("device-state", "device-history")
            else:
                raise NotFound("there is no such view")
        context |= self._common(session, product)
        return {part: self._environment.get_template(f"parts/{part}.html").render(context) for part in parts}

    # Pages

    async def _home(self, _request: Request, session: Visitor) -> Response:
        actor = session.actor

        def read(connection: Connection) -> tuple[list[Product], list[Invitation]]:
            return actor.products(connection), organizations_store.invitations_to(connection, actor.email)

        found, invitations = await self._read(read)
        if len(found) == 1 and not invitations:
            return RedirectResponse(f"/products/{found[0].slug}", 303)
        context: Context = {"products": found, "invitations": invitations, "organizations": actor.organizations}
        return self._render("products.html", session, None, context)

    async def _overview(self, request: Request, session: Visitor) -> Response:
        product = await self._product(request, session)
        context = await self._read(lambda connection: self._overview_context(connection, product))
        return self._render("overview.html", session, product, context)

    async def _devices(self, request: Request, session: Visitor) -> Response:
        product = await self._product(request, session)
        search = request.query_params.get("search", "")[:24]
        page = _positive(request.query_params.get("page", "1"))
        rows, total = await self._read(
            lambda connection: devices_search.of_product(
                connection, product.id, Search(device_id=search, page=page, per_page=ROWS_PER_PAGE)
            )
        )
        context: Context = {"devices": rows, **_paging(page, total, search)}
        return self._render("devices.html", session, product, context)

    async def _customers(self, request: Request, session: Visitor) -> Response:
        product = await self._product(request, session, Permission.VIEW_CUSTOMERS)
        search = request.query_params.get("search", "")[:EMAIL_MAX]
        page = _positive(request.query_params.get("page", "1"))
        now_ms = self._now_ms()
        found, total, active = await self._read(
            lambda connection: facts.customers_page(connection, product, search, page, ROWS_PER_PAGE, now_ms)
        )
        context: Context = {"customers": found, "active": active, **_paging(page, total, search)}
        return self._render("customers.html", session, product, context)

    async def _log(self, request: Request, session: Visitor) -> Response:
        product = await self._product(request, session)
        asked = log_filter.parse(request.query_params)
        page = await self._read(lambda connection: log_filter.read(connection, product, asked))
        return self._render("log.html", session, product, {"page": page, "asked": asked, "kinds": log_filter.KINDS})

    async def _device(self, request: Request, session: Visitor) -> Response:
        product = await self._product(request, session)
        name = request.path_params["device"]
        context = await self._read(lambda connection: self._device_context(connection, product, name))
        return self._render("device.html", session, product, context)

    async def _releases(self, request: Request, session: Visitor) -> Response:
        product = await self._product(request, session)
        listed = await self._read(lambda connection: releases.releases_of(connection, product.id))
        images = await self._read(lambda connection: releases.images_of_product(connection, product.id))
        return self._render("releases.html", session, product, {"releases": listed, "images": images})

    async def _rollouts(self, request: Request, session: Visitor) -> Response:
        product = await self._product(request, session)
        listed = await self._read(
            lambda connection: [
                facts.rollout_facts(connection, item, self._now_ms())
                for item in rollouts.of_product(connection, product.id)[:100]
            ]
        )
        saved = await self._read(lambda connection: cohorts.of_product(connection, product.id))
        return self._render("rollouts.html", session, product, {"items": listed, "cohorts": saved})

    async def _rollout(self, request: Request, session: Visitor) -> Response:
        product = await self._product(request, session)
        number = request.path_params["rollout"]
        item = await self._read(
            lambda connection: facts.rollout_facts(
                connection, rollouts_service.get(connection, product, number), self._now_ms()
            )
        )
        return self._render("rollout.html", session, product, {"item": item})

    async def _live(self, request: Request, session: Visitor) -> Response:
        product = await self._product(request, session)
        view, name = request.path_params["view"], request.path_params.get("name", "")

        def regions() -> dict[str, str]:
            now = security.find_session(request, self._services)
            if now is None or not now.actor.may(product.organization_id, Permission.VIEW):
                raise NotFound("signed out, or not in the team any more")
            return self.regions(product, view, name, request.query_params, now)

        await asyncio.to_thread(regions)
        return self._live_pages.stream(session.account.id, product.id, regions)

    # Forms

    async def _sign_out(self, request: Request, session: Visitor) -> Response:
        security.check_form(request, session, await request.form(max_files=0, max_fields=10))
        cookie = request.cookies[security.COOKIE]
        await asyncio.to_thread(self._services.database.write, lambda connection: accounts.sign_out(connection, cookie))
        response = RedirectResponse("/sign-in", 303, security.HEADERS)
        response.delete_cookie(security.COOKIE)
        return response

    async def _answer(self, request: Request, session: Visitor) -> Response:
        form = await request.form(max_files=0, max_fields=10)
        security.check_form(request, session, form)
        slug, accepts, now_ms = request.path_params["organization"], form.get("answer") == "accept", self._now_ms()

        def write(connection: Connection) -> None:
            organizations.answer(connection, session.account, slug, accepts, session.actor.address, now_ms)

        await asyncio.to_thread(self._services.database.write, write)
        return RedirectResponse("/", 303, security.HEADERS)

    async def _move(self, request: Request, session: Visitor) -> Response:
        security.check_form(request, session, await request.form(max_files=0, max_fields=10))
        product = await self._product(request, session, Permission.CONTROL_FIRMWARE)
        number, verb = request.path_params["rollout"], request.path_params["verb"]
        by = session.account.email

        def work(connection: Connection, now_ms: int) -> None:
            if verb == "pause":
                rollouts_service.pause(connection, product, number, f"Paused by {by}.")
            elif verb == "resume":
                rollouts_service.resume(connection, product, number, by, now_ms)
            elif verb == "cancel":
                rollouts_service.cancel(connection, product, number, by)
            elif verb == "approve":
                rollouts_service.approve(connection, product, number, session.account.id, now_ms)
            elif verb == "start":
                rollouts_service.start(connection, product, number, now_ms)
            else:
                raise NotFound("there is no such action")

        subject = f"{product.id} rollout {number}"
        await asyncio.to_thread(act, self._services, session.actor, f"rollout.{verb}", subject, work, product, DETAIL)
        return RedirectResponse(_back(request, f"/products/{product.slug}/rollouts/{number}"), 303, security.HEADERS)

    async def _approve(self, request: Request, session: Visitor) -> Response:
        form = await request.form(max_files=0, max_fields=10)
        security.check_form(request, session, form)
        product = await self._product(request, session, Permission.MANAGE_DEVICES)
        name, digits = request.path_params["device"], security.text_of(form.get("fingerprint"), "")
        by = session.account.email

        def work(connection: Connection, now_ms: int) -> None:
            devices_service.approve(connection, product, name, digits or None, by, now_ms)

        await asyncio.to_thread(act, self._services, session.actor, "device.approve", name, work, product, DETAIL)
        return RedirectResponse(f"/products/{product.slug}/devices/{quote(name)}", 303, security.HEADERS)

    # Parts

    def _now_ms(self) -> int:
        return self._services.clock.now_ms()

    def _overview_context(self, connection: Connection, product: Product) -> Context:
        return {"overview": facts.overview(connection, product, self._now_ms())}

    def _device_context(self, connection: Connection, product: Product, name: str) -> Context:
        now_ms = self._now_ms()
        return {"item": facts.device_page(connection, product, name, self._services.chain.version, now_ms)}

    def _common(self, session: Visitor | None, product: Product | None) -> Context:
        return {"session": session, "product": product, "now_ms": self._now_ms()}

    def _render(
        self, template: str, session: Visitor | None, product: Product | None, context: Context, status: int = 200
    ) -> Response:
        html = self._environment.get_template(template).render({**self._common(session, product), **context})
        return HTMLResponse(html, status, security.HEADERS)

    def _render_alone(self, template: str, context: Context, status: int = 200) -> Response:
        """A page of who is not signed in."""
        return self._render(template, None, None, context, status)

    def _render_for(self, template: str, session: Visitor, context: Context) -> str:
        return self._environment.get_template(template).render({**self._common(session, None), **context})

    def _page(self, page: Page) -> Callable[[Request], Awaitable[Response]]:
        async def handle(request: Request) -> Response:
            return await page(request, await security.signed_in(request, self._services))

        return handle

    async def _product(self, request: Request, session: Visitor, permission: Permission = Permission.VIEW) -> Product:
        """The product of the path, where the account may do this with it. Raises NotFound, Forbidden."""
        name = request.path_params["product"]
        return await self._read(lambda connection: session.actor.product(connection, name, permission))

    async def _read(self, work: Callable[[Connection], T]) -> T:
        def read() -> T:
            with self._services.database.read() as connection:
                return work(connection)

        return await asyncio.to_thread(read)

    async def _on_server_error(self, request: Request, error: Exception) -> Response:
        assert isinstance(error, ServerError)
        return self._error_page(request, error.status, str(error))

    async def _on_http_error(self, request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        return self._error_page(request, error.status_code, str(error.detail))

    async def _on_unexpected(self, request: Request, _error: Exception) -> Response:
        return self._error_page(request, 500, unexpected_sentence())

    def _error_page(self, _request: Request, status: int, text: str) -> Response:
        return self._render_alone("error.html", {"status": status, "text": text}, status)


async def _on_sign_in_needed(_request: Request, error: Exception) -> Response:
    assert isinstance(error, security.SignInNeeded)
    return RedirectResponse(f"/sign-in?next={quote(error.path)}", 303, security.HEADERS)


def _paging(page: int, total: int, search: str) -> Context:
    return {"total": total, "search": search, "page": page, "pages": max(1, -(-total // ROWS_PER_PAGE))}


def _positive(text: str) -> int:
    if not text.isdecimal() or len(text) > 6 or int(text) < 1:
        raise Invalid("a page is a number from 1", "page")
    return int(text)


def _back(request: Request, default: str) -> str:
    """The page that the form stood on, if it is one of the rollout's own product."""
    place = request.query_params.get("from", "")
    return default if place != "overview" else default.rsplit("/rollouts/", 1)[0]
