# SPDX-License-Identifier: Apache-2.0
"""Pages on which a product's customers sign up and sign in for its apps, in its organization's look.

An app sends the browser here as to an authorization endpoint (RFC 6749 section 3.1). What it asked for goes from page
to page and into links of mails in their query, and is looked at anew on each; nobody stays signed in on these pages.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from authlib.oauth2.rfc6749 import OAuth2Error
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ota_server.api.oauth.requests import AuthorizeRequest
from ota_server.api.oauth.server import CustomerServer
from ota_server.customers import tokens
from ota_server.customers.letters import Storefront
from ota_server.customers.models import Customer
from ota_server.dashboard import security
from ota_server.dashboard.account_pages import Context, Fields, Render, email_of, submit, to, token_of
from ota_server.errors import Invalid, ServerError
from ota_server.organizations import branding
from ota_server.organizations import store as organizations
from ota_server.services import Services

STATE_MAX = 500
_ASKED = ("response_type", "client_id", "redirect_uri", "state", "code_challenge", "code_challenge_method")


@dataclass(frozen=True, slots=True)
class Visit:
    """A customer's way from an app, which asked for something, and back to it."""

    asked: AuthorizeRequest
    grant: Any
    front: Storefront

    def context(self, email: str = "", token: str = "", error: str = "") -> Context:
        front = self.front
        return {
            "layout": "branded.html",
            "brand": front.brand,
            "whose": front.brand.name,
            "at": f"/customers/{front.product.slug}",
            "asked": f"?{urlencode(front.asked)}",
            "email": email,
            "token": token,
            "error": error,
        }


Act = Callable[[Visit, Fields, str, int], Response]
"""Takes the visit, the form's fields, where it came from, and the time."""


class StorefrontPages:
    """The pages over one server's parts."""

    def __init__(self, services: Services, render: Render) -> None:
        self._services = services
        self._server = CustomerServer(services)
        self._render = render

    def routes(self) -> list[Route]:
        acts: dict[str, Act] = {
            "sign-in": self._sign_in,
            "sign-up": self._sign_up,
            "verify": self._verify,
            "forgot": self._forgot,
            "reset": self._reset,
        }
        at = "/customers/{product}"
        shown = [Route(f"{at}/{page}", self._show(page), methods=["GET"]) for page in acts]
        return shown + [Route(f"{at}/{page}", self._take(page, act), methods=["POST"]) for page, act in acts.items()]

    # What the forms do

    def _sign_in(self, visit: Visit, fields: Fields, _address: str, now_ms: int) -> Response:
        services, product = self._services, visit.front.product
        customer = tokens.check_password(
            services.database, services.passwords, product, fields["email"], fields["password"], now_ms
        )
        return self._send_back(visit, customer)

    def _sign_up(self, visit: Visit, fields: Fields, address: str, now_ms: int) -> Response:
        by_mail = self._services.customers_by_mail
        return self._say(visit, by_mail.sign_up(visit.front, fields["email"], fields["password"], address, now_ms))

    def _verify(self, visit: Visit, fields: Fields, address: str, now_ms: int) -> Response:
        by_mail = self._services.customers_by_mail
        return self._send_back(visit, by_mail.follow(visit.front, fields["token"], fields["password"], address, now_ms))

    def _forgot(self, visit: Visit, fields: Fields, address: str, now_ms: int) -> Response:
        by_mail = self._services.customers_by_mail
        return self._say(visit, by_mail.ask_for_password(visit.front, fields["email"], address, now_ms))

    def _reset(self, visit: Visit, fields: Fields, address: str, now_ms: int) -> Response:
        by_mail = self._services.customers_by_mail
        by_mail.choose_password(visit.front, fields["token"], fields["password"], address, now_ms)
        return to(visit.front.path("sign-in"))

    # Parts

    def _show(self, page: str) -> Callable[[Request], Any]:
        async def handle(request: Request) -> Response:
            visit = await asyncio.to_thread(self._visit, request)
            if isinstance(visit, Response):
                return visit
            return self._page(visit, page, visit.context(email_of(request), token_of(request)))

        return handle

    def _take(self, page: str, act: Act) -> Callable[[Request], Any]:
        async def handle(request: Request) -> Response:
            visit = await asyncio.to_thread(self._visit, request)
            if isinstance(visit, Response):
                return visit

            def work(fields: Fields, address: str, now_ms: int) -> Response:
                return act(visit, fields, address, now_ms)

            def again(fields: Fields, error: ServerError) -> Response:
                context = visit.context(fields["email"], fields["token"], str(error))
                return self._page(visit, page, context, error.status)

            return await submit(request, self._services, work, again)

        return handle

    def _visit(self, request: Request) -> Visit | Response:
        """What the app asks for; or, where it asks wrongly, the way back to it.

        Raises:
            Invalid: it is not known where that would be.
        """
        items = [(key, value) for key, value in request.query_params.multi_items() if key in _ASKED]
        asked = AuthorizeRequest(request, items)
        if len(asked.payload.state or "") > STATE_MAX:
            raise Invalid(f"the app asked wrongly: a state has at most {STATE_MAX} characters")
        try:
            grant, product = self._server.check(asked, request.path_params["product"])
        except OAuth2Error as error:
            return self._server.refuse(asked, error)
        with self._services.database.read() as connection:
            organization = organizations.get(connection, product.organization_id)
            assert organization is not None, "a product is an organization's"
            brand = branding.of_organization(connection, organization)
        return Visit(asked, grant, Storefront(product, brand, asked.payload.data))

    def _send_back(self, visit: Visit, customer: Customer) -> Response:
        return self._server.answer(visit.asked, customer, visit.grant)

    def _page(self, visit: Visit, page: str, context: Context, status: int = 200) -> Response:
        template = f"{page.replace('-', '_')}.html"
        context = {**context, "sends_mail": self._services.customers_by_mail.is_on}
        response = self._render(template, context, status)
        response.headers.update(security.headers_to(visit.grant.redirect_uri))
        return response

    def _say(self, visit: Visit, text: str) -> Response:
        return self._render("said.html", {**visit.context(), "heading": "Look into your mail", "text": text})
