# SPDX-License-Identifier: Apache-2.0
"""SQL for the audit log. It has no statement that changes or removes a line."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, insert, select

from ota_server.accounts.addresses import normal_email
from ota_server.accounts.models import accounts
from ota_server.audit.models import Entry, Filter, Line, audit
from ota_server.storage.sql import has_part

_COLUMNS = (audit.c.id, audit.c.at_ms, accounts.c.email, audit.c.address, audit.c.action, audit.c.subject)
_LINES = select(*_COLUMNS, audit.c.detail).outerjoin(accounts, accounts.c.id == audit.c.account_id)


def add(connection: Connection, entry: Entry) -> None:
    connection.execute(insert(audit).values(**asdict(entry)))


def lines(connection: Connection, organization_id: int, wanted: Filter, limit: int) -> list[Line]:
    """An organization's, newest first."""
    where = (audit.c.organization_id == organization_id, *_where(connection, wanted))
    return _lines(connection, _LINES.where(*where).order_by(audit.c.id.desc()).limit(limit))


def about(
    connection: Connection,
    organization_id: int,
    subject: str,
    actions: Collection[str],
    times_ms: tuple[int, int | None],
    limit: int,
) -> list[Line]:
    """What was done to one subject from a time to another (not included, or None), newest first."""
    since_ms, until_ms = times_ms
    where = [audit.c.organization_id == organization_id, audit.c.subject == subject, audit.c.at_ms >= since_ms]
    if until_ms is not None:
        where.append(audit.c.at_ms < until_ms)
    newest = _LINES.where(*where, audit.c.action.in_(actions)).order_by(audit.c.at_ms.desc(), audit.c.id.desc())
    return _lines(connection, newest.limit(limit))


def _lines(connection: Connection, query: Select[Any]) -> list[Line]:
    rows = connection.execute(query)
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
