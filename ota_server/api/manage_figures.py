# SPDX-License-Identifier: Apache-2.0
"""Hourly figures of a product in the management API."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from ota_server.api import views
from ota_server.api.context import ActorDep, ServicesDep
from ota_server.figures import store
from ota_server.figures.models import COUNTED, HOUR_MS, Hour
from ota_server.organizations.roles import Permission

router = APIRouter(prefix="/products/{product}/figures")


@router.get("")
def list_figures(
    product: str,
    services: ServicesDep,
    actor: ActorDep,
    hours: Annotated[int, Query(ge=1, le=store.KEPT_HOURS)] = 168,
) -> views.Json:
    """What there was at the end of each of the last hours, and what came during it; oldest first."""
    first = services.clock.now_ms() // HOUR_MS - hours + 1
    with services.database.read() as connection:
        found = actor.product(connection, product, Permission.VIEW)
        return {"hours": [_shown(hour) for hour in store.of_product(connection, found.id, first)]}


def _shown(hour: Hour) -> views.Json:
    return {
        "from": views.time(hour.hour * HOUR_MS),
        "devices": hour.devices,
        "online": hour.online,
        "customers": hour.customers,
        "active_customers": hour.active_customers,
        "versions": [{"version": version, "devices": count} for version, count in hour.by_version.items()],
        **{name: getattr(hour, name) for name in COUNTED},
    }
