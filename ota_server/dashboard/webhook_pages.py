# SPDX-License-Identifier: Apache-2.0
"""A product's webhooks: made, tried, looked at and removed."""

from __future__ import annotations

import json
from collections.abc import Callable

from sqlalchemy import Connection
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ota_server.dashboard.forms import Filled, filled
from ota_server.dashboard.frame import Context, Frame, go
from ota_server.dashboard.security import Visitor, text_of
from ota_server.errors import Invalid, NotFound, ServerError
from ota_server.organizations.roles import Permission
from ota_server.products.models import Product
from ota_server.webhooks import service, store
from ota_server.webhooks.courier import LOG_MAX
from ota_server.webhooks.hook import METHODS, Hook
from ota_server.webhooks.models import Webhook

Work = Callable[[Connection, Product, str, int], object]


def _test(connection: Connection, product: Product, webhook: str, now_ms: int) -> None:
    service.send_test(connection, product, webhook, now_ms)


def _enable(connection: Connection, product: Product, webhook: str, _now_ms: int) -> None:
    service.switch_on(connection, product, webhook)


def _delete(connection: Connection, product: Product, webhook: str, _now_ms: int) -> None:
    service.remove(connection, product, webhook)


VERBS: dict[str, Work] = {"test": _test, "enable": _enable, "delete": _delete}


class WebhookPages:
    """Requests to other servers that events make."""

    def __init__(self, frame: Frame) -> None:
        self._frame = frame

    def routes(self) -> list[Route]:
        page, base = self._frame.page, "/products/{product}/webhooks"
        return [
            Route(base, page(self._list), methods=["GET"]),
            Route(base, page(self._make), methods=["POST"]),
            Route(f"{base}/{{webhook}}", page(self._show), methods=["GET"]),
            Route(f"{base}/{{webhook}}/remove", page(self._ask_to_remove), methods=["GET"]),
            Route(f"{base}/{{webhook}}/{{verb}}", page(self._do), methods=["POST"]),
        ]

    async def _product(self, request: Request, visitor: Visitor) -> Product:
        """Webhooks hold secrets: only who makes them sees them. Raises NotFound, Forbidden."""
        return await self._frame.product(request, visitor, Permission.MANAGE_PRODUCTS)

    async def _list(self, request: Request, visitor: Visitor) -> Response:
        return await self._list_page(visitor, await self._product(request, visitor), Filled())

    async def _list_page(self, visitor: Visitor, product: Product, form: Filled) -> Response:
        found = await self._frame.read(lambda connection: service.list_all(connection, product))
        context: Context = {
            "webhooks": [(one, Hook.from_json(one.content)) for one in found],
            "methods": [(one, one) for one in METHODS],
            "filled": form,
        }
        return self._frame.render("webhooks.html", visitor, product, context, form.status)

    async def _make(self, request: Request, visitor: Visitor) -> Response:
        form = await self._frame.form(request, visitor)
        product = await self._product(request, visitor)
        event, device_id = text_of(form.get("event")), text_of(form.get("deviceId")).strip().lower() or None
        try:
            hook = _hook(form)
            made = await self._frame.act(
                visitor,
                "webhook.create",
                event,
                lambda connection, now_ms: service.create(connection, product, event, device_id, hook, now_ms),
                product,
            )
        except ServerError as error:
            return await self._list_page(visitor, product, filled("webhook", form, error))
        return await self._page(visitor, product, str(made.id), secret=made.secret)

    async def _show(self, request: Request, visitor: Visitor) -> Response:
        product = await self._product(request, visitor)
        return await self._page(visitor, product, request.path_params["webhook"])

    async def _page(self, visitor: Visitor, product: Product, name: str, secret: str = "") -> Response:
        """`secret`: shown this once."""

        def read(connection: Connection) -> Context:
            found = service.find(connection, product, name)
            return {**_shown(found), "deliveries": store.log(connection, found.id, LOG_MAX), "secret": secret}

        return self._frame.render("webhook.html", visitor, product, await self._frame.read(read))

    async def _ask_to_remove(self, request: Request, visitor: Visitor) -> Response:
        product = await self._product(request, visitor)
        name = request.path_params["webhook"]
        found = await self._frame.read(lambda connection: service.find(connection, product, name))
        return self._frame.render("webhook-remove.html", visitor, product, _shown(found))

    async def _do(self, request: Request, visitor: Visitor) -> Response:
        await self._frame.form(request, visitor)
        product = await self._product(request, visitor)
        name, verb = request.path_params["webhook"], request.path_params["verb"]
        work = VERBS.get(verb)
        if work is None:
            raise NotFound("there is no such action")
        await self._frame.act(
            visitor,
            f"webhook.{verb}",
            name,
            lambda connection, now_ms: work(connection, product, name, now_ms),
            product,
        )
        base = f"/products/{product.slug}/webhooks"
        return go(base if verb == "delete" else f"{base}/{name}")


def _shown(webhook: Webhook) -> Context:
    return {"webhook": webhook, "hook": Hook.from_json(webhook.content)}


def _hook(form: FormData) -> Hook:
    """Raises Invalid."""
    text = text_of(form.get("json")).strip()
    try:
        content = json.loads(text) if text else None
    except (ValueError, RecursionError) as error:
        raise Invalid("this is no JSON", "json") from error
    if content is not None and not isinstance(content, dict):
        raise Invalid('a JSON object, such as {"value": "{{PARTICLE_EVENT_VALUE}}"}', "json")
    return Hook(url=text_of(form.get("url")).strip(), method=text_of(form.get("requestType")), json=content)
