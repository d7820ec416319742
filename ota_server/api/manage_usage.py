# SPDX-License-Identifier: Apache-2.0
"""What an organization uses, in the management API."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from datetime import date, timedelta
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BeforeValidator
from starlette.responses import Response

from ota_server.api import views
from ota_server.api.context import ActorDep, ServicesDep
from ota_server.errors import Invalid
from ota_server.organizations.models import Organization
from ota_server.organizations.roles import Permission
from ota_server.services import Services
from ota_server.usage import service, store
from ota_server.usage.models import Day

router = APIRouter(prefix="/orgs/{organization}")

DAYS = 30
"""Without a first day."""
DAYS_MAX = 366
_EPOCH = date(1970, 1, 1)


def _written(value: object) -> object:
    # A number alone would be taken for seconds.
    if isinstance(value, str) and not value.count("-") == 2:
        raise ValueError("give a date, such as 2026-11-23")
    return value


Written = Annotated[date, BeforeValidator(_written)]
From = Annotated[Written | None, Query(alias="from")]
To = Annotated[Written | None, Query(alias="to")]


@router.get("/usage")
def get_usage(
    organization: str, services: ServicesDep, actor: ActorDep, first: From = None, last: To = None
) -> views.Json:
    """What there is now, what there may be, and each day's use, in UTC; days without any are left out."""
    found = actor.organization(organization, Permission.VIEW)
    days = days_of(services, found, first, last)
    with services.database.read() as connection:
        now = store.amounts(connection, found.id)
        limits = service.limits_for(connection, found.id)
    return {
        "usage": {
            "now": views.amounts(now),
            "limits": views.limits(limits),
            "days": [{"date": str(date_of(day.day)), **views.usage_day(day)} for day in days],
            "check_ins": sum(day.check_ins for day in days),
            "bytes_served": sum(day.bytes_served for day in days),
        }
    }


@router.get("/usage.csv", response_class=Response, responses={200: {"content": {"text/csv": {}}}})
def export_usage(
    organization: str, services: ServicesDep, actor: ActorDep, first: From = None, last: To = None
) -> Response:
    """The days, one line for each."""
    found = actor.organization(organization, Permission.VIEW)
    return csv_of(found, days_of(services, found, first, last))


def csv_of(organization: Organization, days: Iterable[Day]) -> Response:
    """A file of days."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(("date", "check_ins", "bytes_served", "seats", "devices", "storage_bytes"))
    for day in days:
        writer.writerow((date_of(day.day), *views.usage_day(day).values()))
    headers = {"content-disposition": f'attachment; filename="usage-{organization.slug}.csv"'}
    return Response(out.getvalue(), media_type="text/csv", headers=headers)


def days_of(services: Services, organization: Organization, first: date | None, last: date | None) -> list[Day]:
    """Those from the first to the last, or the last 30. Raises Invalid."""
    until = services.clock.now_ms() // service.DAY_MS if last is None else (last - _EPOCH).days
    since = max(until - DAYS + 1, 0) if first is None else (first - _EPOCH).days
    if since < 0 or not 1 <= until - since + 1 <= DAYS_MAX:
        raise Invalid(f"ask for 1 to {DAYS_MAX} days: from is the first one, to the last", "from")
    services.write_usage().result()
    with services.database.read() as connection:
        return store.days(connection, organization.id, since, until)


def date_of(day: int) -> date:
    """The day with a number since 1970."""
    return _EPOCH + timedelta(days=day)
