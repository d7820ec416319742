# SPDX-License-Identifier: Apache-2.0
"""A product's customers, as its team sees them, and how they sign in."""

from __future__ import annotations

from urllib.parse import quote

from sqlalchemy import Connection
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ota_server.accounts.addresses import EMAIL_MAX, normal_email
from ota_server.customers import service
from ota_server.customers.models import Activity
from ota_server.dashboard import security
from ota_server.dashboard.customer_facts import customer_page, customers_page
from ota_server.dashboard.frame import Context, Frame, go, page_number, paging
from ota_server.dashboard.security import Visitor
from ota_server.devices import claims
from ota_server.errors import Invalid, ServerError
from ota_server.organizations.roles import Permission
from ota_server.products.models import Product


class CustomerPages:
    """Who owns devices, and who uses them."""

    def __init__(self, frame: Frame) -> None:
        self._frame = frame

    def routes(self) -> list[Route]:
        page, base = self._frame.page, "/products/{product}/customers"
        one = f"{base}/{{customer}}"
        return [
            Route(base, page(self._list)),
            Route(f"{base}/sign-in", page(self._sign_in)),
            Route(one, page(self._show)),
            Route(f"{one}/password", page(self._set_password), methods=["POST"]),
            Route(f"{one}/remove", page(self._ask)),
            Route(f"{one}/remove", page(self._remove), methods=["POST"]),
        ]

    async def _list(self, request: Request, visitor: Visitor) -> Response:
        product = await self._frame.product(request, visitor, Permission.VIEW_CUSTOMERS)
        search = request.query_params.get("search", "")[:EMAIL_MAX]
        asked = request.query_params.get("activity", "")
        if asked and asked not in list(Activity):
            raise Invalid(f"customers are {', '.join(Activity)}", "activity")
        activity = Activity(asked) if asked else None
        page, now_ms = page_number(request), self._frame.now_ms()
        found = await self._frame.read(
            lambda connection: customers_page(connection, product, search, activity, page, now_ms)
        )
        fields = {name: value for name, value in (("search", search), ("activity", asked)) if value}
        context: Context = {"found": found, "search": search, "activity": asked, "activities": list(Activity)}
        return self._frame.render("customers.html", visitor, product, context | paging(page, found.total, fields))

    async def _sign_in(self, request: Request, visitor: Visitor) -> Response:
        product = await self._frame.product(request, visitor, Permission.VIEW_CUSTOMERS)
        context: Context = {"server": self._frame.address(request)}
        return self._frame.render("customer-sign-in.html", visitor, product, context)

    async def _show(self, request: Request, visitor: Visitor) -> Response:
        product = await self._frame.product(request, visitor, Permission.VIEW_CUSTOMERS)
        return await self._page(request, visitor, product, "customer.html", None)

    async def _ask(self, request: Request, visitor: Visitor) -> Response:
        product = await self._frame.product(request, visitor, Permission.MANAGE_CUSTOMERS)
        return await self._page(request, visitor, product, "customer-remove.html", None)

    async def _page(
        self, request: Request, visitor: Visitor, product: Product, template: str, error: ServerError | None
    ) -> Response:
        email, now_ms = request.path_params["customer"], self._frame.now_ms()
        item = await self._frame.read(lambda connection: customer_page(connection, product, email, now_ms))
        context: Context = {"item": item, "error": error}
        return self._frame.render(template, visitor, product, context, 200 if error is None else 400)

    async def _set_password(self, request: Request, visitor: Visitor) -> Response:
        form = await self._frame.form(request, visitor)
        product = await self._frame.product(request, visitor, Permission.MANAGE_CUSTOMERS)
        email = request.path_params["customer"]
        customer = await self._frame.read(lambda connection: service.find(connection, product, email))
        password = security.text_of(form.get("password"))
        try:
            hashed = await self._frame.beside(lambda: self._frame.services.passwords.hash(password))
        except Invalid as error:
            return await self._page(request, visitor, product, "customer.html", error)

        def write(connection: Connection, _now_ms: int) -> None:
            service.set_password(connection, customer, hashed)

        await self._frame.act(visitor, "customer.password", f"customer {customer.id}", write, product)
        return go(f"/products/{product.slug}/customers/{quote(customer.email)}")

    async def _remove(self, request: Request, visitor: Visitor) -> Response:
        form = await self._frame.form(request, visitor)
        product = await self._frame.product(request, visitor, Permission.MANAGE_CUSTOMERS)
        email = request.path_params["customer"]
        customer = await self._frame.read(lambda connection: service.find(connection, product, email))
        if normal_email(security.text_of(form.get("typed"))) != customer.email:
            wrong = Invalid("this is not the customer's address", "typed")
            return await self._page(request, visitor, product, "customer-remove.html", wrong)
        by = visitor.account.email

        def write(connection: Connection, now_ms: int) -> None:
            claims.remove_customer(connection, customer, by, now_ms)

        await self._frame.act(visitor, "customer.remove", f"customer {customer.id}", write, product)
        return go(f"/products/{product.slug}/customers")
