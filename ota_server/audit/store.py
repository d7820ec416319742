# SPDX-License-Identifier: Apache-2.0
"""SQL for the audit log. It has no statement that changes or removes a line."""

from __future__ import annotations

from dataclasses import asdict

from sqlalchemy import ColumnElement, Connection, insert, select

from ota_server.accounts.addresses import normal_email
from ota_server.accounts.models import accounts
from ota_server.audit.models import Entry, Filter, Line, audit
from ota_server.storage.sql import has_part


def add(connection: Connection, entry: Entry) -> None:
    connection.execute(insert(audit).values(**asdict(entry)))


def lines(connection: Connection, organization_id: int, wanted: Filter, limit: int) -> list[Line]:
    """An organization's, newest first."""
    columns = (audit.c.id, audit.c.at_ms, accounts.c.email, audit.c.address)
    rows = connection.execute(
        select(*columns, audit.c.action, audit.c.subject, audit.c.detail)
        .outerjoin(accounts, accounts.c.id == audit.c.account_id)
        .where(audit.c.organization_id == organization_id, *_where(connection, wanted))
        .order_by(audit.c.id.desc())
        .limit(limit)
    )
    return [Line(number, at_ms, email or "", *rest) for number, at_ms, email, *rest in rows]


def _where(connection: Connection, wanted: Filter) -> list[ColumnElement[bool]]:
    where: list[ColumnElement[bool]] = []
    if wanted.by:
        where.append(accounts.c.email == normal_email(wanted.by))
    if wanted.action:
        where.append(audit.c.action.startswith(wanted.action, autoescape=True))
    if wanted.subject:
        where.append(has_part(connection, audit.c.subject, wanted.subject))
    if wanted.since_ms is not None:
        where.append(audit.c.at_ms >= wanted.since_ms)
    if wanted.until_ms is not None:
        where.append(audit.c.at_ms < wanted.until_ms)
    if wanted.before is not None:
        where.append(audit.c.id < wanted.before)
    return where
