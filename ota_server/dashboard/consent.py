# SPDX-License-Identifier: Apache-2.0
"""The page on which a person lets an OAuth client act for them."""

from __future__ import annotations

import asyncio
from urllib.parse import urlsplit

from authlib.oauth2.rfc6749 import OAuth2Error
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from ota_server.api.oauth.clients import RegisteredClient
from ota_server.api.oauth.requests import AuthorizeRequest
from ota_server.api.oauth.server import TokenServer
from ota_server.dashboard import security
from ota_server.dashboard.frame import Frame
from ota_server.dashboard.security import Visitor
from ota_server.organizations.roles import parse_scopes

PATH = "/oauth/authorize"
_OWN = ("form_token", "answer")


class Consent:
    """Asks, and sends the browser back to the client with the answer."""

    def __init__(self, frame: Frame) -> None:
        self._frame = frame
        self._server = TokenServer(frame.services)

    def routes(self) -> list[Route]:
        """Of the authorization endpoint (RFC 6749 section 3.1)."""
        page = self._frame.page
        return [Route(PATH, page(self._ask), methods=["GET"]), Route(PATH, page(self._answer), methods=["POST"])]

    async def _ask(self, request: Request, visitor: Visitor) -> Response:
        asked = AuthorizeRequest(request, request.query_params.multi_items())
        return await asyncio.to_thread(self._show, asked, visitor)

    def _show(self, asked: AuthorizeRequest, visitor: Visitor) -> Response:
        try:
            grant = self._server.get_consent_grant(asked, visitor.account)
        except OAuth2Error as error:
            return self._server.refuse(asked, error)
        client: RegisteredClient = grant.request.client
        context = {
            "visitor": visitor,
            "client": client.client,
            "of_product": self._server.product_of(client),
            "scopes": sorted(parse_scopes((asked.scope or "").split())),
            "fields": asked.payload.data,
            "back_to": urlsplit(grant.redirect_uri).netloc or grant.redirect_uri,
        }
        html = self._frame.html("consent.html", None, None, context)
        return HTMLResponse(html, headers=security.headers_to(grant.redirect_uri))

    async def _answer(self, request: Request, visitor: Visitor) -> Response:
        form = await self._frame.form(request, visitor)
        items = [(key, value) for key, value in form.multi_items() if isinstance(value, str) and key not in _OWN]
        asked, agrees = AuthorizeRequest(request, items), form.get("answer") == "allow"
        return await asyncio.to_thread(self._send_back, asked, visitor, agrees)

    def _send_back(self, asked: AuthorizeRequest, visitor: Visitor, agrees: bool) -> Response:
        user = visitor.account if agrees else None
        try:
            grant = self._server.get_consent_grant(asked, visitor.account)
        except OAuth2Error as error:
            return self._server.refuse(asked, error)
        return self._server.answer(asked, user, grant)
