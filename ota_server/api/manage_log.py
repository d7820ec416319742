# SPDX-License-Identifier: Apache-2.0
"""The log of a product in the management API."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Annotated, Literal

from fastapi import APIRouter, Query
from sqlalchemy import Connection
from starlette.responses import JSONResponse, Response, StreamingResponse

from muster.csv_text import csv_row
from ota_server.api import views
from ota_server.api.context import ActorDep, ServicesDep
from ota_server.api.times import Time, ms_of
from ota_server.devices import service as devices
from ota_server.organizations.roles import Permission
from ota_server.products.models import Product
from ota_server.rollouts import cohorts
from ota_server.rollouts.cohort import Saved
from ota_server.services import Services
from ota_server.telemetry import product_log
from ota_server.telemetry.product_log import LIMIT_MAX, Entry, EntryKind, Level, Place, Wanted

router = APIRouter(prefix="/products/{product}/log")

LevelName = Literal["debug", "info", "warning", "error"]
TEXT_MAX = 200


@router.get("", response_model=None, responses={200: {"content": {"text/csv": {}}}})
def read_log(
    product: str,
    services: ServicesDep,
    actor: ActorDep,
    kind: Annotated[list[EntryKind], Query(max_length=len(EntryKind))] = [],  # noqa: B006 - FastAPI copies it
    level: LevelName = "debug",
    device: Annotated[str, Query(max_length=TEXT_MAX)] = "",
    version: Annotated[int | None, Query(ge=0, le=0xFFFF)] = None,
    cohort: Annotated[str, Query(max_length=TEXT_MAX)] = "",
    name: Annotated[str, Query(max_length=TEXT_MAX)] = "",
    text: Annotated[str, Query(max_length=TEXT_MAX)] = "",
    since: Time | None = None,
    until: Time | None = None,
    before: Annotated[str, Query(max_length=60)] = "",
    limit: Annotated[int, Query(ge=1, le=LIMIT_MAX)] = 200,
    shape: Annotated[Literal["json", "csv"], Query(alias="format")] = "json",
) -> Response:
    """What all devices told and what happened to them, newest first; `next` goes into `before` for what is older.

    `version` and `cohort` are of devices as they are now. A search for these or a text may end before `limit` are
    found: `is_cut` says so. As CSV: all of it.
    """
    with services.database.read() as connection:
        found = actor.product(connection, product, Permission.VIEW_DEVICES)
        wanted = Wanted(
            kinds=frozenset(kind),
            level=Level[level.upper()],
            device_row=_device_row(connection, found, device),
            version=version,
            like=cohorts.condition(connection, found.id, Saved(cohort), services.clock.now_ms()) if cohort else None,
            name=name,
            text=text,
            since_ms=ms_of(since),
            until_ms=ms_of(until),
            before=Place.parse(before) if before else None,
        )
        if shape == "json":
            page = product_log.read(connection, found.id, wanted, limit)
            following = None if page.next is None else str(page.next)
            shown = [_shown(entry) for entry in page.entries]
            return JSONResponse({"log": shown, "next": following, "is_cut": page.is_cut})
    headers = {"content-disposition": f'attachment; filename="log-{found.slug}.csv"'}
    return StreamingResponse(csv_lines(services, found, wanted), media_type="text/csv", headers=headers)


def _device_row(connection: Connection, product: Product, device: str) -> int | None:
    return devices.find(connection, product, device).id if device else None


def _shown(entry: Entry) -> views.Json:
    return {
        "at": views.time(entry.at_ms),
        "kind": entry.place.kind.value,
        "device": entry.device_id,
        "level": entry.level.name.lower(),
        "name": entry.name,
        "text": entry.text,
    }


def csv_lines(services: Services, product: Product, wanted: Wanted) -> Iterator[str]:
    """All entries, a page at a time."""
    yield csv_row("at", "kind", "device", "level", "name", "text")
    place = wanted.before
    while True:
        # A page at a time: whoever reads slowly holds nothing.
        with services.database.read() as connection:
            page = product_log.read(connection, product.id, replace(wanted, before=place), LIMIT_MAX)
        for entry in page.entries:
            yield csv_row(*(str(cell or "") for cell in _shown(entry).values()))
        place = page.next
        if place is None:
            return
