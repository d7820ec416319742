# SPDX-License-Identifier: Apache-2.0
"""An organization's audit log and its use."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from urllib.parse import urlencode

from sqlalchemy import Connection
from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from ota_server.api.manage_audit import csv_lines
from ota_server.api.manage_usage import csv_of, date_of, days_of
from ota_server.audit import store as audit
from ota_server.audit.models import Filter
from ota_server.dashboard.forms import DAY_MS, midnight, whole
from ota_server.dashboard.frame import Context, Frame
from ota_server.dashboard.security import HEADERS, Visitor
from ota_server.errors import Invalid
from ota_server.organizations.models import Organization
from ota_server.organizations.roles import Permission
from ota_server.usage import service as limits
from ota_server.usage import store as usage
from ota_server.usage.models import Day

LINES_PER_PAGE = 100
LINE_MAX = 2**53
"""No log has so many."""
MONTHS_SHOWN = 12
_FIELDS = {"by": 200, "action": 60, "subject": 200, "since": 10, "until": 10}
"""What the log is asked for, as it stands in the address, and its most characters."""


class AuditPages:
    """Who did what; and how much was used."""

    def __init__(self, frame: Frame) -> None:
        self._frame = frame

    def routes(self) -> list[Route]:
        page, base = self._frame.page, "/organizations/{organization}"
        return [
            Route(f"{base}/audit", page(self._show_audit)),
            Route(f"{base}/audit.csv", page(self._export_audit)),
            Route(f"{base}/usage", page(self._show_usage)),
            Route(f"{base}/usage.csv", page(self._export_usage)),
        ]

    # The audit log

    async def _show_audit(self, request: Request, visitor: Visitor) -> Response:
        organization = self._frame.organization(request, visitor, Permission.AUDIT)
        asked = _asked(request.query_params)
        error: Invalid | None = None
        try:
            wanted = _filter(asked, request.query_params.get("before", ""))
        except Invalid as wrong:
            wanted, error = Filter(), wrong
        lines = await self._frame.read(
            lambda connection: audit.lines(connection, organization.id, wanted, LINES_PER_PAGE + 1)
        )
        query = urlencode({name: text for name, text in asked.items() if text})
        context: Context = {
            "lines": lines[:LINES_PER_PAGE],
            "asked": asked,
            "error": error,
            "query": query,
            "older": lines[LINES_PER_PAGE - 1].id if len(lines) > LINES_PER_PAGE else None,
            "is_first": wanted.before is None,
        }
        return self._frame.render("audit.html", visitor, organization, context, 200 if error is None else error.status)

    async def _export_audit(self, request: Request, visitor: Visitor) -> Response:
        organization = self._frame.organization(request, visitor, Permission.AUDIT)
        wanted = _filter(_asked(request.query_params), "")
        headers = {**HEADERS, "content-disposition": f'attachment; filename="audit-{organization.slug}.csv"'}
        lines = csv_lines(self._frame.services, organization, wanted)
        return StreamingResponse(lines, media_type="text/csv", headers=headers)

    # Use

    async def _show_usage(self, request: Request, visitor: Visitor) -> Response:
        organization = self._frame.organization(request, visitor, Permission.VIEW)
        days, now_ms = await self._days(organization), self._frame.now_ms()

        def read(connection: Connection) -> Context:
            now, counted_ms = usage.likely_amounts(connection, organization.id, now_ms)
            rules = limits.limits_for(connection, organization.id)
            return {"now": now, "counted_ms": counted_ms, "limits": rules}

        this_month = date_of(now_ms // DAY_MS).strftime("%Y-%m")
        context: Context = {
            **await self._frame.read(read),
            "days": [(date_of(day.day), day) for day in reversed(days[-30:])],
            "months": _months(days),
            "this_month": this_month,
        }
        return self._frame.render("usage.html", visitor, organization, context)

    async def _export_usage(self, request: Request, visitor: Visitor) -> Response:
        organization = self._frame.organization(request, visitor, Permission.VIEW)
        response = csv_of(organization, await self._days(organization))
        response.headers.update(HEADERS)
        return response

    async def _days(self, organization: Organization) -> list[Day]:
        """Since the first day of the month a year ago."""
        today = date_of(self._frame.now_ms() // DAY_MS)
        month = today.year * 12 + today.month - MONTHS_SHOWN
        first = date(month // 12, month % 12 + 1, 1)
        return await self._frame.beside(lambda: days_of(self._frame.services, organization, first, today))


def _asked(query: QueryParams) -> dict[str, str]:
    return {name: query.get(name, "").strip()[:most] for name, most in _FIELDS.items()}


def _filter(asked: Mapping[str, str], before: str) -> Filter:
    """Raises Invalid."""
    until_ms = midnight(asked["until"], "until")
    return Filter(
        asked["by"],
        asked["action"],
        asked["subject"],
        midnight(asked["since"], "since"),
        None if until_ms is None else until_ms + DAY_MS,
        whole(before, "before", LINE_MAX, words="the older lines begin at a number") if before else None,
    )


def _months(days: list[Day]) -> list[tuple[str, int, int, int]]:
    """Newest first: month, check-ins, bytes served, and the most devices on a day."""
    found: dict[str, tuple[int, int, int]] = {}
    for day in days:
        month = date_of(day.day).strftime("%Y-%m")
        check_ins, served, devices = found.get(month, (0, 0, 0))
        found[month] = (check_ins + day.check_ins, served + day.bytes_served, max(devices, day.amounts.devices))
    return [(month, *found[month]) for month in sorted(found, reverse=True)]
