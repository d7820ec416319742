# SPDX-License-Identifier: Apache-2.0
"""What every page is made with: who is signed in, what they may see, reading, forms, and the frame around it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar
from urllib.parse import urlencode

from sqlalchemy import Connection
from starlette.datastructures import FormData, QueryParams
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from ota_server.api.context import act
from ota_server.dashboard import security
from ota_server.dashboard.forms import whole
from ota_server.dashboard.render import make_environment
from ota_server.dashboard.security import Visitor
from ota_server.errors import ServerError
from ota_server.organizations.models import Organization
from ota_server.organizations.roles import Permission
from ota_server.products.models import Product
from ota_server.services import Services
from ota_server.simulator import Simulator

ROWS_PER_PAGE = 50
PAGES_MAX = 999_999
FIELDS_MAX = 100
DETAIL = "dashboard"
"""What the audit log says of a change that was made here."""

T = TypeVar("T")

Context = dict[str, object]
Page = Callable[[Request, Visitor], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class View:
    """The regions of a page that change by themselves.

    Attributes:
        parts: their templates in `templates/parts`, which are the ids of their elements too.
        read: what these show, by the name in the view's path and its query. Raises NotFound, Invalid.
    """

    parts: tuple[str, ...]
    read: Callable[[Connection, Product, str, QueryParams], Context]


class Frame:
    """What the pages of one server share."""

    def __init__(self, services: Services) -> None:
        self.services = services
        self.simulator = Simulator(services.settings.read_online_key())
        self._environment = make_environment()

    def now_ms(self) -> int:
        return self.services.clock.now_ms()

    @property
    def release_threshold(self) -> int:
        """How many signatures a release needs."""
        return self.services.chain.newest.content.release_threshold

    # Who asks, and for what

    def page(self, page: Page) -> Callable[[Request], Awaitable[Response]]:
        """A route for who is signed in; others sign in and come back."""

        async def handle(request: Request) -> Response:
            return await page(request, await security.signed_in(request, self.services))

        return handle

    async def product(self, request: Request, visitor: Visitor, permission: Permission = Permission.VIEW) -> Product:
        """The product of the path, where the visitor may do this with it. Raises NotFound, Forbidden."""
        name = request.path_params["product"]
        return await self.read(lambda connection: visitor.actor.product(connection, name, permission))

    def organization(self, request: Request, visitor: Visitor, permission: Permission) -> Organization:
        """The organization of the path, where the visitor may do this there. Raises NotFound, Forbidden."""
        return visitor.actor.organization(request.path_params["organization"], permission)

    def address(self, request: Request) -> str:
        """Where people reach this server: as it was told, or else as the visitor did."""
        return self.services.settings.public_url or str(request.base_url).rstrip("/")

    # Reading and writing

    async def read(self, work: Callable[[Connection], T]) -> T:
        """Reads beside the event loop."""

        def read() -> T:
            with self.services.database.read() as connection:
                return work(connection)

        return await asyncio.to_thread(read)

    async def beside(self, work: Callable[[], T]) -> T:
        """Does what takes a while beside the event loop."""
        return await asyncio.to_thread(work)

    async def form(self, request: Request, visitor: Visitor, files: int = 0) -> FormData:
        """The fields of a form that this server made for this session. Raises Forbidden."""
        form = await request.form(max_files=files, max_fields=FIELDS_MAX)
        try:
            security.check_form(request, visitor, form)
        except ServerError:
            await form.close()
            raise
        return form

    async def act(
        self,
        visitor: Visitor,
        action: str,
        subject: str,
        work: Callable[[Connection, int], T],
        owner: Product | Organization | None,
        detail: str = "",
    ) -> T:
        """Writes something and its line in the audit log in one commit; see `api.context.act`."""
        said = f"{DETAIL}: {detail}" if detail else DETAIL
        return await asyncio.to_thread(act, self.services, visitor.actor, action, subject, work, owner, said)

    # Showing

    def render(
        self,
        template: str,
        visitor: Visitor | None,
        owner: Product | Organization | None,
        context: Context,
        status: int = 200,
    ) -> Response:
        """A page in the frame of a product, of an organization, or of nothing."""
        return HTMLResponse(self.html(template, visitor, owner, context), status, security.HEADERS)

    def render_alone(self, template: str, context: Context, status: int = 200) -> Response:
        """A page of who is not signed in."""
        return self.render(template, None, None, context, status)

    def parts(
        self, names: Sequence[str], visitor: Visitor, owner: Product | Organization, context: Context
    ) -> dict[str, str]:
        """Regions of a page: element id -> HTML."""
        return {name: self.html(f"parts/{name}.html", visitor, owner, context) for name in names}

    def html(
        self, template: str, visitor: Visitor | None, owner: Product | Organization | None, context: Context
    ) -> str:
        """A template's text."""
        product = owner if isinstance(owner, Product) else None
        organization = owner if isinstance(owner, Organization) else None
        if product is not None and visitor is not None:
            organization = visitor.actor.organizations[product.organization_id]
        common: Context = {
            "session": visitor,
            "product": product,
            "organization": organization,
            "now_ms": self.now_ms(),
        }
        return self._environment.get_template(template).render({**common, **context})


def go(path: str) -> Response:
    """On to a page, after a form."""
    return RedirectResponse(path, 303, security.HEADERS)


def page_number(request: Request) -> int:
    """Which page of a list is asked for. Raises Invalid."""
    return whole(request.query_params.get("page", "1"), "page", PAGES_MAX, 1, "a page is a number from 1")


def paging(page: int, total: int, fields: Mapping[str, str] | Sequence[tuple[str, str]]) -> Context:
    """What `parts/pages.html` shows; `fields`: what else stands in the addresses of the pages."""
    return {"total": total, "page": page, "pages": max(1, -(-total // ROWS_PER_PAGE)), "page_query": urlencode(fields)}
