# SPDX-License-Identifier: Apache-2.0
"""The first page of a new server: the first account, its organization and its product."""

from __future__ import annotations

from sqlalchemy import Connection
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from muster.layout import ID_MAX
from ota_server.accounts import service as accounts
from ota_server.accounts import store as accounts_store
from ota_server.accounts.addresses import normal_email
from ota_server.api.context import address_of
from ota_server.audit import store as audit
from ota_server.audit.models import Entry
from ota_server.dashboard import security
from ota_server.dashboard.forms import Filled, filled, number
from ota_server.dashboard.frame import DETAIL, FIELDS_MAX, Frame, go
from ota_server.dashboard.security import text_of
from ota_server.errors import NotFound, ServerError
from ota_server.organizations import service as organizations
from ota_server.organizations import store as organizations_store
from ota_server.products import service as products
from ota_server.products.models import Product
from ota_server.products.service import NewProduct

EXAMPLE_ID = 1234
"""Of the example product in firmware/products/thermostat."""


class SetupPages:
    """For who has the link that the server has told."""

    def __init__(self, frame: Frame) -> None:
        self._frame = frame

    def routes(self) -> list[Route]:
        return [
            Route("/set-up", self._show, methods=["GET"]),
            Route("/set-up", self._set_up, methods=["POST"]),
        ]

    async def _show(self, request: Request) -> Response:
        token = request.query_params.get("token", "")
        await self._frame.read(lambda connection: self._frame.services.first_run.check(connection, token))
        return self._page(token, Filled())

    def _page(self, token: str, form: Filled) -> Response:
        context = {"token": token, "filled": form, "example_id": EXAMPLE_ID}
        return self._frame.render_alone("set-up.html", context, form.status)

    async def _set_up(self, request: Request) -> Response:
        form = await request.form(max_files=0, max_fields=FIELDS_MAX)
        token = text_of(form.get("token"))
        security.check_origin(request)
        # Before the password is hashed, which costs: only who knows the token may have that done.
        await self._frame.read(lambda connection: self._frame.services.first_run.check(connection, token))
        try:
            cookie, product = await self._frame.beside(lambda: self._make(request, token, form))
        except NotFound:
            raise
        except ServerError as error:
            return self._page(token, filled("set-up", form, error))
        response = go(f"/products/{product.slug}")
        security.set_cookie(response, cookie, self._frame.services)
        return response

    def _make(self, request: Request, token: str, form: FormData) -> tuple[str, Product]:
        """All in one commit; a cookie that is signed in. Raises NotFound, Invalid, Conflict."""
        services = self._frame.services
        email, organization = text_of(form.get("email")), text_of(form.get("organization"))
        new = NewProduct(number(form, "id", ID_MAX), text_of(form.get("name")), auto_approve=True)
        hashed = services.passwords.hash(text_of(form.get("password")))
        now_ms, address = self._frame.now_ms(), address_of(request)

        def write(connection: Connection) -> tuple[str, Product]:
            services.first_run.check(connection, token)
            organizations.add_administrator(connection, email, hashed, organization, now_ms)
            account = accounts_store.by_email(connection, normal_email(email))
            assert account is not None
            # The token of `muster serve --init` is told to nobody here.
            accounts_store.end_tokens(connection, account.id)
            [(owner, _)] = organizations_store.of_account(connection, account.id)
            made = products.create(connection, owner.id, new, now_ms)
            audit.add(connection, Entry(now_ms, account.id, owner.id, address, "server.set_up", account.email, DETAIL))
            return accounts.sign_in(connection, account, now_ms, address, security.agent_of(request)), made

        return services.database.write(write)
