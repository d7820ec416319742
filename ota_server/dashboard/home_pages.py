# SPDX-License-Identifier: Apache-2.0
"""The page behind signing in: products and invitations; and signing out."""

from __future__ import annotations

import asyncio

from sqlalchemy import Connection
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ota_server.accounts import service as accounts
from ota_server.dashboard import security
from ota_server.dashboard.frame import Context, Frame, go
from ota_server.dashboard.security import Visitor
from ota_server.organizations import service as organizations
from ota_server.organizations import store as organizations_store


class HomePages:
    """What concerns the visitor, not one product."""

    def __init__(self, frame: Frame) -> None:
        self._frame = frame

    def routes(self) -> list[Route]:
        page = self._frame.page
        return [
            Route("/", page(self._home)),
            Route("/sign-out", page(self._sign_out), methods=["POST"]),
            Route("/invitations/{organization}", page(self._answer), methods=["POST"]),
        ]

    async def _home(self, _request: Request, visitor: Visitor) -> Response:
        actor, products = visitor.actor, visitor.products
        invitations = await self._frame.read(
            lambda connection: organizations_store.invitations_to(connection, actor.email)
        )
        if len(products) == 1 and not invitations:
            return go(f"/products/{products[0].slug}")
        if len(actor.organizations) == 1 and not invitations:
            return go(f"/organizations/{next(iter(actor.organizations.values())).slug}")
        context: Context = {"products": products, "invitations": invitations, "organizations": actor.organizations}
        return self._frame.render("products.html", visitor, None, context)

    async def _sign_out(self, request: Request, visitor: Visitor) -> Response:
        await self._frame.form(request, visitor)
        cookie = request.cookies[security.COOKIE]
        write = self._frame.services.database.write
        await asyncio.to_thread(write, lambda connection: accounts.sign_out(connection, cookie))
        response = go("/sign-in")
        response.delete_cookie(security.COOKIE)
        return response

    async def _answer(self, request: Request, visitor: Visitor) -> Response:
        form = await self._frame.form(request, visitor)
        slug, accepts, now_ms = (
            request.path_params["organization"],
            form.get("answer") == "accept",
            self._frame.now_ms(),
        )

        def write(connection: Connection) -> None:
            organizations.answer(connection, visitor.account, slug, accepts, visitor.actor.address, now_ms)

        await asyncio.to_thread(self._frame.services.database.write, write)
        return go("/")
