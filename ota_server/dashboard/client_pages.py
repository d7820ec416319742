# SPDX-License-Identifier: Apache-2.0
"""OAuth clients, a product's and the visitor's own: made, changed, given another secret, removed."""

from __future__ import annotations

import shlex
from enum import StrEnum
from typing import Any, TypeVar

from sqlalchemy import Connection
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ota_server.accounts import store as accounts
from ota_server.api import oauth_clients
from ota_server.dashboard.forms import Filled, filled
from ota_server.dashboard.frame import Context, Frame, go
from ota_server.dashboard.security import Visitor, text_of
from ota_server.errors import Invalid, ServerError
from ota_server.oauth.clients import NewClient
from ota_server.oauth.models import ClientScope, ClientType
from ota_server.organizations.roles import Permission
from ota_server.products.models import Product

C = TypeVar("C", bound=StrEnum)

TYPES = (
    (ClientType.WEB.value, "on a server of its own (web)"),
    (ClientType.INSTALLED.value, "on people's phones and computers (installed)"),
)
SCOPES = {
    ClientScope.CREATE_CUSTOMER: "make customers and sign them in",
    ClientScope.ALL: "act as you, within this product",
}


class ClientPages:
    """Programs that ask for tokens themselves."""

    def __init__(self, frame: Frame) -> None:
        self._frame = frame

    def routes(self) -> list[Route]:
        page = self._frame.page
        return [
            route
            for base in ("/products/{product}/clients", "/account/clients")
            for route in (
                Route(base, page(self._list), methods=["GET"]),
                Route(base, page(self._make), methods=["POST"]),
                Route(f"{base}/{{client}}", page(self._show), methods=["GET"]),
                Route(f"{base}/{{client}}", page(self._change), methods=["POST"]),
                Route(f"{base}/{{client}}/secret", page(self._renew_secret), methods=["POST"]),
                Route(f"{base}/{{client}}/remove", page(self._ask_to_remove), methods=["GET"]),
                Route(f"{base}/{{client}}/remove", page(self._remove), methods=["POST"]),
            )
        ]

    async def _owner(self, request: Request, visitor: Visitor) -> Product | None:
        """The product whose clients the path is about; None for the visitor's own. Raises NotFound, Forbidden."""
        if "product" not in request.path_params:
            return None
        return await self._frame.product(request, visitor, Permission.MANAGE_PRODUCTS)

    # All of them

    async def _list(self, request: Request, visitor: Visitor) -> Response:
        return await self._list_page(visitor, await self._owner(request, visitor), Filled())

    async def _list_page(self, visitor: Visitor, product: Product | None, form: Filled) -> Response:
        found = await self._frame.read(lambda connection: oauth_clients.all_of(connection, visitor.actor, product))
        acts = oauth_clients.may_act_as_maker(visitor.actor, product)
        scopes = [(one.value, words) for one, words in SCOPES.items() if acts or one is not ClientScope.ALL]
        context: Context = {"clients": found, "types": TYPES, "scopes": scopes, "base": _base(product), "filled": form}
        return self._frame.render("clients.html", visitor, product, context, form.status)

    async def _make(self, request: Request, visitor: Visitor) -> Response:
        form = await self._frame.form(request, visitor)
        product, services = await self._owner(request, visitor), self._frame.services
        try:
            new = _new(form, product)
            made, secret = await self._frame.beside(lambda: oauth_clients.create(services, visitor.actor, product, new))
        except ServerError as error:
            return await self._list_page(visitor, product, filled("client", form, error))
        return await self._page(request, visitor, product, made.client_id, secret=secret)

    # One of them

    async def _show(self, request: Request, visitor: Visitor) -> Response:
        product = await self._owner(request, visitor)
        return await self._page(request, visitor, product, request.path_params["client"])

    async def _page(
        self,
        request: Request,
        visitor: Visitor,
        product: Product | None,
        client_id: str,
        form: Filled | None = None,
        secret: str = "",
    ) -> Response:
        """`secret`: shown this once."""

        def read(connection: Connection) -> Context:
            found = oauth_clients.get(connection, visitor.actor, product, client_id)
            maker = accounts.by_id(connection, found.account_id)
            assert maker is not None, "clients go with their account"
            is_own = found.scope is not ClientScope.ALL or oauth_clients.may_act_as_maker(visitor.actor, product)
            # A redirect URI may have a quote in it, and whoever copies the command runs it.
            came_back = shlex.quote(f"redirect_uri={found.redirect_uri}")
            return {"client": found, "maker": maker.email, "may_renew": is_own, "came_back": came_back}

        context: Context = {
            **await self._frame.read(read),
            "server": self._frame.address(request),
            "base": _base(product),
            "types": dict(TYPES),
            "secret": secret,
            "filled": form or Filled(),
        }
        return self._frame.render("client.html", visitor, product, context, (form or Filled()).status)

    async def _change(self, request: Request, visitor: Visitor) -> Response:
        form = await self._frame.form(request, visitor)
        product, name = await self._owner(request, visitor), request.path_params["client"]
        changes: dict[str, Any] = {"name": text_of(form.get("name")), "redirect_uri": _redirect_uri(form)}
        try:
            await self._frame.beside(
                lambda: oauth_clients.change(self._frame.services, visitor.actor, product, name, changes)
            )
        except Invalid as error:
            return await self._page(request, visitor, product, name, filled("change", form, error))
        return go(f"{_base(product)}/{name}")

    async def _renew_secret(self, request: Request, visitor: Visitor) -> Response:
        await self._frame.form(request, visitor)
        product, name = await self._owner(request, visitor), request.path_params["client"]
        _, secret = await self._frame.beside(
            lambda: oauth_clients.renew_secret(self._frame.services, visitor.actor, product, name)
        )
        return await self._page(request, visitor, product, name, secret=secret)

    async def _ask_to_remove(self, request: Request, visitor: Visitor) -> Response:
        product, name = await self._owner(request, visitor), request.path_params["client"]
        found = await self._frame.read(lambda connection: oauth_clients.get(connection, visitor.actor, product, name))
        context: Context = {"client": found, "base": _base(product)}
        return self._frame.render("client-remove.html", visitor, product, context)

    async def _remove(self, request: Request, visitor: Visitor) -> Response:
        await self._frame.form(request, visitor)
        product, name = await self._owner(request, visitor), request.path_params["client"]
        await self._frame.beside(lambda: oauth_clients.remove(self._frame.services, visitor.actor, product, name))
        return go(_base(product))


def _base(product: Product | None) -> str:
    return "/account/clients" if product is None else f"/products/{product.slug}/clients"


def _new(form: FormData, product: Product | None) -> NewClient:
    """Raises Invalid."""
    scope = ClientScope.ALL if product is None else _one_of(ClientScope, form, "scope")
    return NewClient(text_of(form.get("name")), _one_of(ClientType, form, "type"), _redirect_uri(form), scope)


def _one_of(kind: type[C], form: FormData, name: str) -> C:
    """Raises Invalid."""
    try:
        return kind(text_of(form.get(name)))
    except ValueError as error:
        raise Invalid(f"one of {', '.join(kind)}", name) from error


def _redirect_uri(form: FormData) -> str | None:
    return text_of(form.get("redirect_uri")).strip() or None
