# SPDX-License-Identifier: Apache-2.0
"""The wizard that makes a rollout, step by step. All that was typed stands in the address until the draft is saved."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import parse_qsl

from sqlalchemy import Connection
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from muster.layout import platform_name
from ota_server.dashboard import security
from ota_server.dashboard.cohort_pages import cohort_choices
from ota_server.dashboard.frame import Context, Frame, go
from ota_server.dashboard.rollout_form import STAGES_MAX, STEPS, WINDOWS_MAX, RolloutForm, fields_of
from ota_server.dashboard.security import Visitor
from ota_server.errors import Conflict, Invalid, NotFound, ServerError
from ota_server.figures import series
from ota_server.figures import store as figures
from ota_server.figures.models import HOUR_MS
from ota_server.numbers import ROW_MAX, digits
from ota_server.organizations.roles import Permission
from ota_server.products.models import Product
from ota_server.releases import service as releases_service
from ota_server.releases import store as releases
from ota_server.rollouts import cohorts, service
from ota_server.rollouts import store as rollouts
from ota_server.rollouts.gate import APPROVERS
from ota_server.rollouts.models import RolloutStatus
from ota_server.rollouts.windows import DAYS

STATE_MAX = 32_000
"""Characters of all that was typed."""
_FIELDS_MAX = 400
_WORDS = {
    "release": "Which release?",
    "cohort": "Which devices?",
    "stages": "In which stages, and what lets each end?",
    "schedule": "When, and how fast?",
    "check": "Is this what you mean?",
}


class WizardPages:
    """The steps, and what makes the draft."""

    def __init__(self, frame: Frame) -> None:
        self._frame = frame

    def routes(self) -> list[Route]:
        page, path = self._frame.page, "/products/{product}/rollouts/new"
        return [Route(path, page(self._show)), Route(path, page(self._save), methods=["POST"])]

    async def _show(self, request: Request, visitor: Visitor) -> Response:
        product = await self._frame.product(request, visitor, Permission.CONTROL_FIRMWARE)
        given = dict(request.query_params)
        if "from" in given:
            return go(await self._frame.read(lambda connection: _address_from(connection, product, given["from"])))
        step = given.get("step") or given.get("at") or STEPS[0]
        if step not in STEPS:
            raise NotFound("the wizard has no such step")
        form = RolloutForm.of_fields(given)
        replaces = digits(given.get("replaces", ""), ROW_MAX)
        return await self._page(visitor, product, form, step, replaces)

    async def _save(self, request: Request, visitor: Visitor) -> Response:
        sent = await self._frame.form(request, visitor)
        product = await self._frame.product(request, visitor, Permission.CONTROL_FIRMWARE)
        state = security.text_of(sent.get("state"))
        if len(state) > STATE_MAX:
            raise Invalid("this is more than a rollout has", "state")
        given = dict(parse_qsl(state.removeprefix("?"), max_num_fields=_FIELDS_MAX))
        form, replaces = RolloutForm.of_fields(given), digits(given.get("replaces", ""), ROW_MAX)
        by = visitor.account.email

        def work(connection: Connection, now_ms: int) -> int:
            if replaces is not None:
                _check_draft(connection, product, replaces)
                service.abort(connection, product, replaces, f"{by}, who made another one of it", now_ms)
            stages = form.new_stages(form.cohort.parse())
            made = service.create(
                connection, product, form.version(), stages, by, now_ms, form["name"], schedule=form.schedule()
            )
            # Its forecast is waited for.
            rollouts.ask_scan(connection, product.id)
            return made.id

        if await self._frame.read(lambda connection: _wrong(connection, product, form, len(STEPS))):
            return await self._page(visitor, product, form, STEPS[-1], replaces)
        made = await self._frame.act(visitor, "rollout.create", f"{product.id} version {form.version()}", work, product)
        if sent.get("then") == "start":

            def begin(connection: Connection, now_ms: int) -> None:
                service.start(connection, product, made, now_ms)

            await self._frame.act(visitor, "rollout.start", f"{product.id} rollout {made}", begin, product)
        return go(f"/products/{product.slug}/rollouts/{made}")

    async def _page(
        self, visitor: Visitor, product: Product, form: RolloutForm, step: str, replaces: int | None
    ) -> Response:
        """The step, or the first one before it that is not filled rightly."""

        def read(connection: Connection) -> Context:
            wrong = _wrong(connection, product, form, STEPS.index(step))
            shown = wrong[0] if wrong else step
            devices = self._devices(connection, product) if form.cohort.who == "all" else None
            filled = form.proposed(devices) if shown == "stages" and not form["stages"] else form
            return {
                "form": filled,
                "devices": devices,
                "step": shown,
                "words": _WORDS,
                "steps": STEPS,
                "number": STEPS.index(shown) + 1,
                "replaces": replaces,
                "carried": [*form.carried(shown).items(), *([] if replaces is None else [("replaces", str(replaces))])],
                "wrong": {} if wrong is None else {wrong[1].field or "": str(wrong[1])},
                **self._of_step(connection, product, filled, shown),
            }

        context = await self._frame.read(read)
        return self._frame.render("wizard.html", visitor, product, context, 400 if context["wrong"] else 200)

    def _of_step(self, connection: Connection, product: Product, form: RolloutForm, step: str) -> Context:
        """What one step shows besides."""
        if step == "release":
            return {"releases": _choices(connection, product)}
        if step == "cohort":
            return cohort_choices(connection, product)
        if step == "stages":
            return {
                "approvers": [
                    (role.value, f"{role.value} or above" if role is not APPROVERS[0] else role.value)
                    for role in APPROVERS
                ],
                "stages_max": STAGES_MAX,
            }
        if step == "schedule":
            return {"days": list(DAYS), "windows": range(1, WINDOWS_MAX + 1)}
        cohort = form.cohort.parse()
        return {
            "cohort": cohort,
            "release": releases_service.find(connection, product, form.version()),
            "stages": form.new_stages(cohort),
            "schedule": form.schedule(),
        }

    def _devices(self, connection: Connection, product: Product) -> int | None:
        """How many trusted devices there were when figures were noted last."""
        hours = figures.of_product(connection, product.id, self._frame.now_ms() // HOUR_MS - series.DAY)
        return hours[-1].devices if hours else None


def _wrong(connection: Connection, product: Product, form: RolloutForm, steps: int) -> tuple[str, ServerError] | None:
    """The first of so many steps that is not filled rightly, and why."""

    def release() -> None:
        releases_service.check_alive(releases_service.find(connection, product, form.version()))

    def cohort() -> None:
        cohorts.check_names(connection, product, form.cohort.parse())

    checks: dict[str, tuple[Callable[[], object], str]] = {
        "release": (release, "version"),
        "cohort": (cohort, "who"),
        "stages": (lambda: form.new_stages(form.cohort.parse()), "percent1"),
        "schedule": (form.schedule, "start"),
    }
    for step in STEPS[:steps]:
        if step not in checks:
            continue
        check, first = checks[step]
        try:
            check()
        except (Invalid, Conflict, NotFound) as error:
            if error.field is None:
                error = Invalid(str(error), first)
            return step, error
    return None


def _choices(connection: Connection, product: Product) -> list[tuple[int, str, str]]:
    """Releases that can be rolled out: version, title and platforms."""
    images = releases.images_of_product(connection, product.id)
    return [
        (
            item.version,
            item.title,
            ", ".join(platform_name(one.platform_id) for one in images if one.release_id == item.id),
        )
        for item in releases.releases_of(connection, product.id)
        if item.killed_ms is None
    ]


def _address_from(connection: Connection, product: Product, number: str) -> str:
    """The wizard's address with the fields of a rollout. A draft is replaced by what is made of it."""
    found = digits(number, ROW_MAX)
    if found is None:
        raise NotFound("there is no such rollout")
    rollout = service.get(connection, product, found)
    fields = fields_of(rollout, service.stage_list(connection, rollout))
    if fields is None:
        raise Conflict("this rollout has what the wizard does not know: make another one with `muster rollout create`")
    form = RolloutForm.of_fields(fields)
    is_draft = rollout.status is RolloutStatus.DRAFT
    replaced = f"&replaces={rollout.id}" if is_draft else ""
    return f"/products/{product.slug}/rollouts/new{form.query(STEPS[0])}{replaced}"


def _check_draft(connection: Connection, product: Product, number: int) -> None:
    """Raises NotFound, Conflict."""
    if service.get(connection, product, number).status is not RolloutStatus.DRAFT:
        raise Conflict(f"rollout {number} is no draft any more")
