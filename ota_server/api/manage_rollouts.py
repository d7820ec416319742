# SPDX-License-Identifier: Apache-2.0
"""Rollouts in the management API."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import Connection

from ota_server.api import rollout_views, views
from ota_server.api.context import ActorDep, Number, ServicesDep, act, product_for
from ota_server.errors import Invalid
from ota_server.organizations.access import Actor
from ota_server.organizations.roles import Permission
from ota_server.products.models import Product
from ota_server.rollouts import counts, forecast, rolling_back, service, store
from ota_server.rollouts.cohort import Cohort
from ota_server.rollouts.gate import Gate
from ota_server.rollouts.models import OPEN, Rollout, RolloutStatus
from ota_server.rollouts.progress import progress
from ota_server.rollouts.schedule import Schedule
from ota_server.services import Services

router = APIRouter(prefix="/products/{product}/rollouts")


class StageBody(BaseModel):
    """A stage: `percent` of a cohort (docs/howto/rollouts.md), and its gate (docs/howto/gates.md)."""

    model_config = ConfigDict(extra="forbid")

    cohort: dict[str, Any] = {"all": True}
    percent: Annotated[int, Field(ge=1, le=100)] = 100
    gate: dict[str, Any] = {}


class RolloutBody(BaseModel):
    """A rollout to be made. `salt` (32 hexadecimal digits) spreads the devices; random when left out."""

    model_config = ConfigDict(extra="forbid")

    version: Annotated[int, Field(ge=1, le=65_534)]
    stages: list[StageBody]
    name: Annotated[str, Field(max_length=200)] = ""
    salt: Annotated[str | None, Field(pattern=r"^[0-9a-f]{32}$")] = None
    schedule: dict[str, Any] | None = None


class RollBackBody(BaseModel):
    """An earlier version to go back to; without stages, all that can at once."""

    model_config = ConfigDict(extra="forbid")

    version: Annotated[int, Field(ge=1, le=65_534)]
    stages: list[StageBody] = []
    schedule: dict[str, Any] = {}


class ScheduleBody(BaseModel):
    """When and how fast a rollout offers; what is left out has its default."""

    model_config = ConfigDict(extra="forbid")

    schedule: dict[str, Any]


@router.get("")
def list_rollouts(product: str, services: ServicesDep, actor: ActorDep) -> views.Json:
    """All rollouts, newest first."""
    with services.database.read() as connection:
        found = actor.product(connection, product, Permission.VIEW)
        return {
            "rollouts": [
                _shown(connection, item, services.clock.now_ms()) for item in store.of_product(connection, found.id)
            ]
        }


@router.post("", status_code=201)
def create_rollout(product: str, body: RolloutBody, services: ServicesDep, actor: ActorDep) -> views.Json:
    """Makes a draft; nothing is offered before it is started."""
    found = product_for(services, actor, product, Permission.CONTROL_FIRMWARE)
    stages = [_new_stage(number, item) for number, item in enumerate(body.stages, 1)]
    salt = None if body.salt is None else bytes.fromhex(body.salt)
    schedule = None if body.schedule is None else Schedule.from_json(body.schedule)
    made = act(
        services,
        actor,
        "rollout.create",
        f"{found.id} version {body.version}",
        lambda connection, now_ms: service.create(
            connection, found, body.version, stages, actor.email, now_ms, body.name, salt, schedule
        ),
        found,
    )
    return _answer(services, made)


@router.get("/{rollout}")
def get_rollout(product: str, rollout: Number, services: ServicesDep, actor: ActorDep) -> views.Json:
    """One rollout with its live numbers, and what went wrong on which device."""
    with services.database.read() as connection:
        item = service.get(connection, actor.product(connection, product, Permission.VIEW), rollout)
        return {
            "rollout": _shown(connection, item, services.clock.now_ms()),
            "reasons": rollout_views.reasons(counts.reasons(connection, item.id)),
            "troubles": rollout_views.troubles(store.troubled_devices(connection, item.id)),
        }


@router.get("/{rollout}/roll-back")
def preview_roll_back(
    product: str,
    rollout: Number,
    services: ServicesDep,
    actor: ActorDep,
    version: Annotated[int, Query(ge=1, le=65_534)],
) -> views.Json:
    """Who of all that run a rollout's version could go back to an earlier one, and who could not and why."""
    with services.database.read() as connection:
        found = actor.product(connection, product, Permission.VIEW_DEVICES)
        seen = rolling_back.preview(connection, found, rollout, version)
    return {"going": seen.going, "staying": [asdict(one) for one in seen.staying]}


@dataclass(frozen=True, slots=True)
class _Mover:
    """Moves the rollout of a request, and answers with it."""

    services: Services
    actor: Actor
    product: str
    rollout: int

    def move(self, verb: str, work: Callable[[Connection, Product, int], Rollout], detail: str = "") -> views.Json:
        found = product_for(self.services, self.actor, self.product, Permission.CONTROL_FIRMWARE)
        moved = act(
            self.services,
            self.actor,
            f"rollout.{verb}",
            f"{found.id} rollout {self.rollout}",
            lambda connection, now_ms: work(connection, found, now_ms),
            found,
            detail,
        )
        return _answer(self.services, moved)


def _mover(product: str, rollout: Number, services: ServicesDep, actor: ActorDep) -> _Mover:
    return _Mover(services, actor, product, rollout)


_MoverDep = Annotated[_Mover, Depends(_mover)]


@router.post("/{rollout}/roll-back", status_code=201)
def roll_back(rollout: Number, body: RollBackBody, actor: ActorDep, mover: _MoverDep) -> views.Json:
    """Starts a rollout that goes back from a rollout's version to an earlier one, which nothing brings out any more."""
    stages = [_new_stage(number, item) for number, item in enumerate(body.stages, 1)]
    schedule = Schedule.from_json(body.schedule)
    return mover.move(
        "roll-back",
        lambda c, found, now_ms: rolling_back.roll_back(
            c, found, rollout, body.version, actor.email, now_ms, stages, schedule
        ),
        f"to version {body.version}",
    )


@router.post("/{rollout}/start")
def start_rollout(rollout: Number, mover: _MoverDep) -> views.Json:
    """Starts a draft: at once, or when its schedule says."""
    return mover.move("start", lambda c, found, now_ms: service.start(c, found, rollout, now_ms))


@router.post("/{rollout}/cancel")
def cancel_rollout(rollout: Number, actor: ActorDep, mover: _MoverDep) -> views.Json:
    """Takes a scheduled start back: it is a draft again."""
    return mover.move("cancel", lambda c, found, _now_ms: service.cancel(c, found, rollout, actor.email))


@router.put("/{rollout}/schedule")
def reschedule_rollout(rollout: Number, body: ScheduleBody, mover: _MoverDep) -> views.Json:
    """Gives it another schedule."""
    schedule = Schedule.from_json(body.schedule)
    return mover.move(
        "schedule",
        lambda c, found, now_ms: service.reschedule(c, found, rollout, schedule, now_ms),
        schedule.to_text(),
    )


@router.post("/{rollout}/pause")
def pause_rollout(rollout: Number, actor: ActorDep, mover: _MoverDep) -> views.Json:
    """Stops offering until it is resumed."""
    reason = f"Paused by {actor.email}."
    return mover.move("pause", lambda c, found, _now_ms: service.pause(c, found, rollout, reason))


@router.post("/{rollout}/resume")
def resume_rollout(rollout: Number, actor: ActorDep, mover: _MoverDep) -> views.Json:
    """Goes on; the failures so far are forgiven."""
    return mover.move("resume", lambda c, found, now_ms: service.resume(c, found, rollout, actor.email, now_ms))


@router.post("/{rollout}/approve")
def approve_rollout(rollout: Number, actor: ActorDep, mover: _MoverDep) -> views.Json:
    """Approves the stage that runs, for which its gate waits."""
    return mover.move("approve", lambda c, found, now_ms: service.approve(c, found, rollout, actor.account.id, now_ms))


@router.post("/{rollout}/abort")
def abort_rollout(rollout: Number, actor: ActorDep, mover: _MoverDep) -> views.Json:
    """Ends it for good."""
    return mover.move("abort", lambda c, found, now_ms: service.abort(c, found, rollout, actor.email, now_ms))


def _new_stage(number: int, body: StageBody) -> service.NewStage:
    try:
        return service.NewStage(body.percent, Gate.from_json(body.gate), Cohort.from_json(body.cohort))
    except Invalid as error:
        raise Invalid(f"stage {number}: {error}", f"stages.{number - 1}.{error.field}") from error


def _answer(services: Services, rollout: Rollout) -> views.Json:
    with services.database.read() as connection:
        return {"rollout": _shown(connection, rollout, services.clock.now_ms())}


def _shown(connection: Connection, rollout: Rollout, now_ms: int) -> views.Json:
    judgement = None
    if rollout.status in (RolloutStatus.RUNNING, RolloutStatus.PAUSED):
        judgement = service.current_judgement(connection, rollout, now_ms)
    stages = store.stages_of(connection, rollout.id)
    approvals = store.approvals_of(connection, rollout.id)
    shown = rollout_views.rollout(rollout, stages, judgement, progress(connection, rollout), approvals)
    foreseen = forecast.latest(connection, rollout) if rollout.status in OPEN else None
    return {**shown, "expected_end_at": None if foreseen is None else rollout_views.expected(foreseen.ends_ms)}
