# SPDX-License-Identifier: Apache-2.0
"""Saved cohorts in the management API."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from ota_server.api import views
from ota_server.api.context import ActorDep, ServicesDep, act, product_for
from ota_server.organizations.roles import Permission
from ota_server.rollouts import cohorts
from ota_server.rollouts.cohort import Cohort
from ota_server.rollouts.preview import preview, sampled

router = APIRouter(prefix="/products/{product}/cohorts")

Description = Annotated[str, Field(max_length=cohorts.DESCRIPTION_MAX)]


class CohortBody(BaseModel):
    """A cohort to be saved; `cohort` is its expression (docs/howto/rollouts.md)."""

    model_config = ConfigDict(extra="forbid")

    name: str
    cohort: dict[str, Any]
    description: Description = ""


class CohortChanges(BaseModel):
    """What is left out stays as it is."""

    model_config = ConfigDict(extra="forbid")

    cohort: dict[str, Any] | None = None
    description: Description | None = None


class PreviewBody(BaseModel):
    """An expression to be tried."""

    model_config = ConfigDict(extra="forbid")

    cohort: dict[str, Any]


@router.get("")
def list_cohorts(product: str, services: ServicesDep, actor: ActorDep) -> views.Json:
    """Saved cohorts by name."""
    with services.database.read() as connection:
        found = actor.product(connection, product, Permission.VIEW)
        return {"cohorts": [views.cohort(one) for one in cohorts.of_product(connection, found.id)]}


@router.post("", status_code=201)
def create_cohort(product: str, body: CohortBody, services: ServicesDep, actor: ActorDep) -> views.Json:
    """Saves a cohort."""
    found = product_for(services, actor, product, Permission.CONTROL_FIRMWARE)
    cohort = Cohort.from_json(body.cohort)
    made = act(
        services,
        actor,
        "cohort.create",
        f"{found.id} {body.name}",
        lambda connection, _now_ms: cohorts.create(connection, found, body.name, cohort, body.description),
        found,
        _detail(cohort),
    )
    return {"cohort": views.cohort(made)}


@router.post("/preview")
def preview_cohort(product: str, body: PreviewBody, services: ServicesDep, actor: ActorDep) -> views.Json:
    """Which devices an expression holds now: how many, of which platforms and versions, and ten of them."""
    cohort = Cohort.from_json(body.cohort)
    with services.database.read() as connection:
        found = actor.product(connection, product, Permission.VIEW_DEVICES)
        cohorts.check_names(connection, found, cohort)
        seen = preview(connection, found.id, cohort, services.clock.now_ms())
        return {"preview": views.preview(seen, sampled(connection, found.id, seen.rows), cohort)}


@router.get("/{cohort}")
def get_cohort(product: str, cohort: str, services: ServicesDep, actor: ActorDep) -> views.Json:
    """One saved cohort, and the rollouts that will start with it."""
    with services.database.read() as connection:
        found = actor.product(connection, product, Permission.VIEW)
        shown = views.cohort(cohorts.find(connection, found.id, cohort))
        return {"cohort": {**shown, "used_by": cohorts.used_by(connection, found.id, cohort)}}


@router.put("/{cohort}")
def change_cohort(product: str, cohort: str, body: CohortChanges, services: ServicesDep, actor: ActorDep) -> views.Json:
    """Sets what a saved cohort holds, or its description. Rollouts that have started keep what it was."""
    found = product_for(services, actor, product, Permission.CONTROL_FIRMWARE)
    after = None if body.cohort is None else Cohort.from_json(body.cohort)
    changed = act(
        services,
        actor,
        "cohort.change",
        f"{found.id} {cohort}",
        lambda connection, _now_ms: cohorts.change(connection, found, cohort, after, body.description),
        found,
        "" if after is None else _detail(after),
    )
    return {"cohort": views.cohort(changed)}


@router.delete("/{cohort}", status_code=204)
def remove_cohort(product: str, cohort: str, services: ServicesDep, actor: ActorDep) -> Response:
    """Removes a saved cohort that no rollout will start with."""
    found = product_for(services, actor, product, Permission.CONTROL_FIRMWARE)
    act(
        services,
        actor,
        "cohort.remove",
        f"{found.id} {cohort}",
        lambda connection, _now_ms: cohorts.remove(connection, found, cohort),
        found,
    )
    return Response(status_code=204)


def _detail(cohort: Cohort) -> str:
    return cohort.in_words()[:500]
