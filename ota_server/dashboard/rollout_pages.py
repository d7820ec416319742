# SPDX-License-Identifier: Apache-2.0
"""A product's rollouts, the page of one, its devices, and what is done there."""

from __future__ import annotations

from urllib.parse import urlencode

from sqlalchemy import Connection
from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ota_server.dashboard import security
from ota_server.dashboard.forms import version_number
from ota_server.dashboard.frame import ROWS_PER_PAGE, Context, Frame, View, go, page_number, paging
from ota_server.dashboard.rollout_facts import RolloutFacts, rollout_facts, rollout_page
from ota_server.dashboard.security import Visitor
from ota_server.errors import Conflict, Invalid, NotFound
from ota_server.numbers import ROW_MAX, digits
from ota_server.organizations.models import Organization
from ota_server.organizations.roles import Permission
from ota_server.products.models import Product
from ota_server.releases import store as releases
from ota_server.rollouts import involved, rolling_back, service
from ota_server.rollouts import store as rollouts
from ota_server.rollouts.models import OutcomeKind, RolloutStatus
from ota_server.rollouts.outcomes import reason_text

VERSIONS_SHOWN = 200
_FIRST = (RolloutStatus.RUNNING, RolloutStatus.PAUSED, RolloutStatus.SCHEDULED, RolloutStatus.DRAFT)
"""What runs stands above what has ended."""


class RolloutPages:
    """The list, one rollout's page, and what is done there."""

    def __init__(self, frame: Frame) -> None:
        self._frame = frame

    def routes(self) -> list[Route]:
        page, base = self._frame.page, "/products/{product}/rollouts"
        one = f"{base}/{{rollout:row}}"
        return [
            Route(base, page(self._list)),
            Route(one, page(self._show)),
            Route(f"{one}/devices", page(self._devices)),
            Route(f"{one}/abort", page(self._ask_abort)),
            Route(f"{one}/roll-back", page(self._ask_roll_back)),
            Route(f"{one}/roll-back", page(self._roll_back), methods=["POST"]),
            Route(f"{one}/{{verb}}", page(self._move), methods=["POST"]),
        ]

    def views(self) -> dict[str, View]:
        return {"rollout": View(("rollout-state", "rollout-stages", "rollout-course", "rollout-reasons"), self._read)}

    async def _list(self, request: Request, visitor: Visitor) -> Response:
        product = await self._frame.product(request, visitor)
        now_ms, page = self._frame.now_ms(), page_number(request)

        def read(connection: Connection) -> Context:
            every = rollouts.of_product(connection, product.id)
            under_way = [item for status in _FIRST for item in every if item.status is status]
            ended = [item for item in every if item.status not in _FIRST]
            shown = [*under_way, *ended][(page - 1) * ROWS_PER_PAGE : page * ROWS_PER_PAGE]
            facts = [rollout_facts(connection, item, now_ms) for item in shown]
            return {
                "running": sum(item.status is RolloutStatus.RUNNING for item in every),
                "under_way": [item for item in facts if item.rollout.status in _FIRST],
                "ended": [item for item in facts if item.rollout.status not in _FIRST],
                **paging(page, len(every), ()),
            }

        return self._frame.render("rollouts.html", visitor, product, await self._frame.read(read))

    async def _show(self, request: Request, visitor: Visitor) -> Response:
        product = await self._frame.product(request, visitor)
        number = request.path_params["rollout"]
        context = await self._frame.read(lambda connection: self._context(connection, product, number))
        return self._frame.render("rollout.html", visitor, product, context)

    async def _devices(self, request: Request, visitor: Visitor) -> Response:
        product = await self._frame.product(request, visitor, Permission.VIEW_DEVICES)
        number, query = request.path_params["rollout"], request.query_params

        def read(connection: Connection) -> Context:
            rollout = service.get(connection, product, number)
            place, limit = query.get("after", ""), ROWS_PER_PAGE + 1
            if "reason" in query:
                kind, reason = _reason(query["reason"])
                found = involved.with_reason(connection, rollout.id, kind, reason, place, limit)
                asked, why = {"reason": query["reason"]}, reason_text(reason)
                state = kind.value
            else:
                state, why = query.get("state", "confirmed"), ""
                if state not in involved.STATES:
                    raise NotFound("there is no list of such devices")
                found, asked = involved.with_state(connection, rollout.id, state, place, limit), {"state": state}
            older = urlencode({**asked, "after": found[-2].place}) if len(found) == limit else ""
            shown = [(item, item.reason is not None and reason_text(item.reason)) for item in found[:ROWS_PER_PAGE]]
            return {"rollout": rollout, "state": state, "why": why, "devices": shown, "older": older}

        return self._frame.render("rollout-devices.html", visitor, product, await self._frame.read(read))

    async def _ask_abort(self, request: Request, visitor: Visitor) -> Response:
        product = await self._frame.product(request, visitor, Permission.CONTROL_FIRMWARE)
        number = request.path_params["rollout"]
        facts = await self._frame.read(lambda connection: self._facts(connection, product, number))
        return self._frame.render("rollout-abort.html", visitor, product, {"item": facts})

    async def _ask_roll_back(self, request: Request, visitor: Visitor) -> Response:
        product = await self._frame.product(request, visitor, Permission.CONTROL_FIRMWARE)
        context = await self._frame.read(
            lambda connection: self._back_context(connection, product, request, request.query_params.get("version", ""))
        )
        return self._frame.render("rollout-back.html", visitor, product, context)

    async def _roll_back(self, request: Request, visitor: Visitor) -> Response:
        form = await self._frame.form(request, visitor)
        product = await self._frame.product(request, visitor, Permission.CONTROL_FIRMWARE)
        number, by = request.path_params["rollout"], visitor.account.email
        version = security.text_of(form.get("version"))

        def work(connection: Connection, now_ms: int) -> int:
            return rolling_back.roll_back(connection, product, number, _version(version), by, now_ms).id

        try:
            subject = f"{product.id} rollout {number}"
            made = await self._frame.act(visitor, "rollout.roll-back", subject, work, product)
        except (Invalid, Conflict) as error:
            wrong = str(error)
            context = await self._frame.read(lambda c: self._back_context(c, product, request, version))
            return self._frame.render("rollout-back.html", visitor, product, {**context, "error": wrong}, 400)
        return go(f"/products/{product.slug}/rollouts/{made}")

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
            elif verb == "abort":
                service.abort(connection, product, number, account.email, now_ms)
            else:
                raise NotFound("there is no such action")

        await self._frame.act(visitor, f"rollout.{verb}", f"{product.id} rollout {number}", work, product)
        return go(
            _back(
                request,
                f"/products/{product.slug}/rollouts/{number}",
                visitor.actor.organizations[product.organization_id],
            )
        )

    def _read(self, connection: Connection, product: Product, name: str, _query: QueryParams) -> Context:
        number = digits(name, ROW_MAX)
        if number is None:
            raise NotFound("there is no such rollout")
        return self._context(connection, product, number)

    def _context(self, connection: Connection, product: Product, number: int) -> Context:
        facts = self._facts(connection, product, number)
        return {"item": facts, "page": rollout_page(connection, facts, self._frame.now_ms())}

    def _facts(self, connection: Connection, product: Product, number: int) -> RolloutFacts:
        return rollout_facts(connection, service.get(connection, product, number), self._frame.now_ms())

    def _back_context(self, connection: Connection, product: Product, request: Request, version: str) -> Context:
        """The page that asks which version to go back to, with who could."""
        rollout = service.get(connection, product, request.path_params["rollout"])
        earlier = [
            item
            for item in releases.releases_of(connection, product.id)
            if item.version < rollout.version and item.killed_ms is None
        ][:VERSIONS_SHOWN]
        chosen = version or (str(earlier[0].version) if earlier else "")
        context: Context = {"rollout": rollout, "earlier": earlier, "chosen": chosen, "seen": None, "error": ""}
        if chosen:
            try:
                seen = rolling_back.preview(connection, product, rollout.id, _version(chosen))
            except (Invalid, Conflict, NotFound) as error:
                return {**context, "error": str(error)}
            return {**context, "seen": seen}
        return context


def _version(text: str) -> int:
    """Raises Invalid."""
    return version_number(text, "version", "choose an earlier version")


def _reason(text: str) -> tuple[OutcomeKind, int]:
    """Such as "reverted.1". Raises NotFound."""
    kind, _, number = text.partition(".")
    found = digits(number.removeprefix("-"), ROW_MAX)
    if kind not in list(OutcomeKind) or found is None:
        raise NotFound("there is no such reason")
    return OutcomeKind(kind), -found if number.startswith("-") else found


def _back(request: Request, default: str, organization: Organization) -> str:
    """The page that the form stood on, if it is one of the rollout's own product or organization."""
    place = request.query_params.get("from", "")
    if place == "organization":
        return f"/organizations/{organization.slug}"
    return default if place != "overview" else default.rsplit("/rollouts/", 1)[0]
