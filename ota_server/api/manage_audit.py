# SPDX-License-Identifier: Apache-2.0
"""The audit log in the management API."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Annotated, Literal

from fastapi import APIRouter, Query
from starlette.responses import JSONResponse, Response, StreamingResponse

from muster.csv_text import csv_row
from ota_server.api import views
from ota_server.api.context import ActorDep, ServicesDep
from ota_server.api.times import Time, ms_of
from ota_server.audit import store
from ota_server.audit.models import Filter
from ota_server.organizations.models import Organization
from ota_server.organizations.roles import Permission
from ota_server.services import Services

router = APIRouter(prefix="/orgs/{organization}/audit")


_CSV_PAGE = 1000


@router.get("", response_model=None, responses={200: {"content": {"text/csv": {}}}})
def list_audit(
    organization: str,
    services: ServicesDep,
    actor: ActorDep,
    by: Annotated[str, Query(max_length=200)] = "",
    action: Annotated[str, Query(max_length=60)] = "",
    subject: Annotated[str, Query(max_length=200)] = "",
    since: Time | None = None,
    until: Time | None = None,
    before: Annotated[int | None, Query(ge=1, le=2**53 - 1)] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 200,
    shape: Annotated[Literal["json", "csv"], Query(alias="format")] = "json",
) -> Response:
    """Who did what, newest first; `before` a line's id is the next page. As CSV: all lines, to be kept elsewhere."""
    found = actor.organization(organization, Permission.AUDIT)
    wanted = Filter(by, action, subject, ms_of(since), ms_of(until), before)
    if shape == "csv":
        headers = {"content-disposition": f'attachment; filename="audit-{found.slug}.csv"'}
        return StreamingResponse(csv_lines(services, found, wanted), media_type="text/csv", headers=headers)
    with services.database.read() as connection:
        lines = store.lines(connection, found.id, wanted, limit)
    return JSONResponse({"audit": [views.audit_line(line) for line in lines]})


def csv_lines(services: Services, organization: Organization, wanted: Filter) -> Iterator[str]:
    """All lines, a page at a time."""
    yield csv_row("id", "at", "by", "from", "action", "subject", "detail")
    while True:
        # A page at a time: whoever reads slowly holds nothing.
        with services.database.read() as connection:
            page = store.lines(connection, organization.id, wanted, _CSV_PAGE)
        for line in page:
            texts = (line.email, line.address, line.action, line.subject, line.detail)
            yield csv_row(str(line.id), views.time(line.at_ms) or "", *texts)
        if len(page) < _CSV_PAGE:
            return
        wanted = replace(wanted, before=page[-1].id)
