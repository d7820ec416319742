# SPDX-License-Identifier: Apache-2.0
"""A product's rollouts, the page of one, and its buttons."""

from __future__ import annotations

from sqlalchemy import Connection
from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ota_server.dashboard.frame import Context, Frame, View, go
from ota_server.dashboard.rollout_facts import rollout_facts
from ota_server.dashboard.security import Visitor
from ota_server.errors import NotFound
from ota_server.organizations.roles import Permission
from ota_server.products.models import Product
from ota_server.rollouts import cohorts, service
from ota_server.rollouts import store as rollouts

ROLLOUTS_SHOWN = 100


class RolloutPages:
    """The list, one rollout's page, and what is done there."""

    def __init__(self, frame: Frame) -> None:
        self._frame = frame

    def routes(self) -> list[Route]:
        page, base = self._frame.page, "/products/{product}/rollouts"
        return [
            Route(base, page(self._list)),
            Route(f"{base}/{{rollout:int}}", page(self._show)),
            Route(f"{base}/{{rollout:int}}/{{verb}}", page(self._move), methods=["POST"]),
        ]

    def views(self) -> dict[str, View]:
        return {"rollout": View(("rollout-state", "rollout-reasons"), self._read)}

    async def _list(self, request: Request, visitor: Visitor) -> Response:
        product = await self._frame.product(request, visitor)
        now_ms = self._frame.now_ms()

        def read(connection: Connection) -> Context:
            listed = rollouts.of_product(connection, product.id)[:ROLLOUTS_SHOWN]
            return {
                "items": [rollout_facts(connection, item, now_ms) for item in listed],
                "cohorts": cohorts.of_product(connection, product.id),
            }

        return self._frame.render("rollouts.html", visitor, product, await self._frame.read(read))

    async def _show(self, request: Request, visitor: Visitor) -> Response:
        product = await self._frame.product(request, visitor)
        number = request.path_params["rollout"]
        context = await self._frame.read(lambda connection: self._context(connection, product, number))
        return self._frame.render("rollout.html", visitor, product, context)

    async def _move(self, request: Request, visitor: Visitor) -> Response:
        await self._frame.form(request, visitor)
        product = await self._frame.product(request, visitor, Permission.CONTROL_FIRMWARE)
        number, verb = request.path_params["rollout"], request.path_params["verb"]
        account = visitor.account

        def work(connection: Connection, now_ms: int) -> None:
            if verb == "pause":
                service.pause(connection, product, number, f"Paused by {account.email}.")
            elif verb == "resume":
                service.resume(connection, product, number, account.email, now_ms)
            elif verb == "cancel":
                service.cancel(connection, product, number, account.email)
            elif verb == "approve":
                service.approve(connection, product, number, account.id, now_ms)
            elif verb == "start":
                service.start(connection, product, number, now_ms)
            else:
                raise NotFound("there is no such action")

        await self._frame.act(visitor, f"rollout.{verb}", f"{product.id} rollout {number}", work, product)
        return go(_back(request, f"/products/{product.slug}/rollouts/{number}"))

    def _read(self, connection: Connection, product: Product, name: str, _query: QueryParams) -> Context:
        if not name.isdecimal() or len(name) >= 10:
            raise NotFound("there is no such rollout")
        return self._context(connection, product, int(name))

    def _context(self, connection: Connection, product: Product, number: int) -> Context:
        found = service.get(connection, product, number)
        return {"item": rollout_facts(connection, found, self._frame.now_ms())}


def _back(request: Request, default: str) -> str:
    """The page that the form stood on, if it is one of the rollout's own product."""
    place = request.query_params.get("from", "")
    return default if place != "overview" else default.rsplit("/rollouts/", 1)[0]
