# SPDX-License-Identifier: Apache-2.0
"""SQL for what devices tell."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, bindparam, delete, func, insert, select

from muster.protocol import Crash
from ota_server.devices.models import devices
from ota_server.products.models import products
from ota_server.storage.sql import insert_once
from ota_server.telemetry.models import (
    EventEntry,
    HistoryKind,
    HistoryLine,
    LogEntry,
    counted_reports,
    crashes,
    events,
    history,
    logs,
)

_DAY_MS = 24 * 3600 * 1000
_PRODUCT_OF = select(devices.c.product_id).where(devices.c.id == bindparam("whose")).scalar_subquery()


def add_history(
    connection: Connection, device_row: int, at_ms: int, kind: HistoryKind, text: str, once: str | None = None
) -> None:
    """Adds a line; a second one with the same `once` is ignored."""
    values = {"device_row": device_row, "at_ms": at_ms, "kind": kind, "text": text, "once": once}
    insert_once(connection, history, {**values, "whose": device_row}, (("product_id", _PRODUCT_OF),))


def count_report(connection: Connection, device_row: int, report_id: int) -> bool:
    """Whether a report is new; from now on it is not."""
    return insert_once(connection, counted_reports, {"device_row": device_row, "report_id": report_id})


def is_counted(connection: Connection, device_row: int, report_id: int) -> bool:
    """Whether a report has come before."""
    key = (counted_reports.c.device_row == device_row, counted_reports.c.report_id == report_id)
    return connection.execute(select(counted_reports.c.report_id).where(*key)).first() is not None


def add_logs(connection: Connection, device_row: int, lines: Sequence[LogEntry]) -> None:
    connection.execute(
        insert(logs).values(product_id=_PRODUCT_OF),
        [
            {"whose": device_row, "device_row": device_row, "at_ms": line.at_ms, "level": line.level, "text": line.text}
            for line in lines
        ],
    )


def add_crash(connection: Connection, device_row: int, at_ms: int, crash: Crash) -> None:
    connection.execute(
        insert(crashes).values(product_id=_PRODUCT_OF),
        {
            "whose": device_row,
            "device_row": device_row,
            "at_ms": at_ms,
            "identity8": crash.identity,
            "reason": crash.reason,
            "pc": crash.pc,
            "lr": crash.lr,
            "uptime_s": crash.uptime_s,
        },
    )


def count_crashes(connection: Connection, device_row: int, identity8: bytes, since_ms: int) -> int:
    """How often an image has crashed on a device since a time."""
    column = crashes.c
    where = (column.device_row == device_row, column.identity8 == identity8, column.at_ms >= since_ms)
    return connection.execute(select(func.count()).select_from(crashes).where(*where)).scalar_one()


def history_of(connection: Connection, device_row: int, limit: int = 200) -> list[HistoryLine]:
    """Newest first."""
    rows = connection.execute(
        select(history.c.at_ms, history.c.kind, history.c.text)
        .where(history.c.device_row == device_row)
        .order_by(history.c.at_ms.desc(), history.c.id.desc())
        .limit(limit)
    )
    return [HistoryLine(*row) for row in rows]


def logs_of(connection: Connection, device_row: int, limit: int = 200) -> list[LogEntry]:
    """Newest first."""
    rows = connection.execute(
        select(logs.c.at_ms, logs.c.level, logs.c.text)
        .where(logs.c.device_row == device_row)
        .order_by(logs.c.at_ms.desc(), logs.c.id.desc())
        .limit(limit)
    )
    return [LogEntry(*row) for row in rows]


def events_of(connection: Connection, device_row: int, limit: int = 200) -> list[EventEntry]:
    """Newest first."""
    rows = connection.execute(
        select(events.c.at_ms, events.c.name, events.c.data)
        .where(events.c.device_row == device_row)
        .order_by(events.c.at_ms.desc(), events.c.id.desc())
        .limit(limit)
    )
    return [EventEntry(*row) for row in rows]


def forget_device(connection: Connection, device_row: int) -> None:
    """Removes what a row told, before the row itself goes."""
    for table in (history, logs, events, crashes, counted_reports):
        connection.execute(delete(table).where(table.c.device_row == device_row))


def forget_old(connection: Connection, now_ms: int, days: int) -> int:
    """Removes logs and events that are kept long enough: `days`, or what their product says; returns how many went."""
    gone = 0
    for table, setting in ((logs, products.c.keep_logs_days), (events, products.c.keep_events_days)):
        product_id = table.c.product_id
        kept = {
            row.id: row[1] for row in connection.execute(select(products.c.id, setting).where(setting.is_not(None)))
        }
        # What is no product's any more is kept as long as the server says.
        rules = [(func.coalesce(product_id, 0).not_in(kept), days)]
        rules += [(product_id == own, own_days) for own, own_days in kept.items()]
        for rows, rows_days in rules:
            is_old = table.c.at_ms < now_ms - rows_days * _DAY_MS
            gone += connection.execute(delete(table).where(is_old, rows)).rowcount
    return gone
