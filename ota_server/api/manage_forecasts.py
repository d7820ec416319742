# SPDX-License-Identifier: Apache-2.0
"""Forecasts and simulations of rollouts in the management API."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from ota_server.api import rollout_views, views
from ota_server.api.context import ActorDep, Number, ServicesDep, act, product_for
from ota_server.errors import Unavailable
from ota_server.organizations.roles import Permission
from ota_server.rollouts import forecast, service, store
from ota_server.rollouts.play import Rates

router = APIRouter(prefix="/products/{product}/rollouts/{rollout}")

Rate = Annotated[float, Query(ge=0, le=1)]


@router.get("/forecast")
def get_forecast(product: str, rollout: Number, services: ServicesDep, actor: ActorDep) -> views.Json:
    """What it will do, by the last look at all devices: devices, bytes, who is skipped and why, when stages end."""
    with services.database.read() as connection:
        item = service.get(connection, actor.product(connection, product, Permission.VIEW), rollout)
        found = forecast.latest(connection, item)
    if found is None:
        raise Unavailable(forecast.NOT_YET)
    return {"forecast": rollout_views.forecast(found)}


@router.post("/forecast", status_code=202)
def renew_forecast(product: str, rollout: Number, services: ServicesDep, actor: ActorDep) -> views.Json:
    """Has all devices looked at again, in the background."""
    found = product_for(services, actor, product, Permission.CONTROL_FIRMWARE)
    with services.database.read() as connection:
        service.get(connection, found, rollout)
    subject = f"{found.id} rollout {rollout}"
    act(services, actor, "rollout.forecast", subject, lambda c, _now_ms: store.ask_scan(c, found.id), found)
    return {"ok": True}


@router.get("/simulation")
def simulate_rollout(
    product: str,
    rollout: Number,
    services: ServicesDep,
    actor: ActorDep,
    failure_rate: Rate = 0,
    crash_rate: Rate = 0,
    seed: Annotated[int, Query(ge=0, le=2**31 - 1)] = 0,
) -> views.Json:
    """Plays it with these rates of failure and crash, as devices are used to check in: what each gate would do when."""
    product_for(services, actor, product, Permission.VIEW)
    with services.simulations.turn(), services.database.read() as connection:
        item = service.get(connection, actor.product(connection, product, Permission.VIEW), rollout)
        now_ms = services.clock.now_ms()
        played = forecast.simulate(connection, item, Rates(failure_rate, crash_rate), seed, now_ms)
        return {"simulation": rollout_views.simulation(played)}
