# SPDX-License-Identifier: Apache-2.0
"""Counting what a report tells besides its device's state."""

from __future__ import annotations

from sqlalchemy import Connection

from muster.protocol import Report
from ota_server.telemetry import events, store
from ota_server.telemetry.models import EventEntry, HistoryKind, LogEntry, Source

AGE_MAX_MS = 7 * 24 * 3600 * 1000
"""A device's word on how long ago something was is believed up to a week."""


def count_reports(
    connection: Connection, device_row: int, source: Source, report: Report, now_ms: int
) -> tuple[int, ...]:
    """Keeps logs, events and crash of a report, each at most once, and returns the ids to acknowledge."""
    acknowledged: list[int] = []
    if report.logs is not None:
        acknowledged.append(report.logs.report_id)
        if store.count_report(connection, device_row, report.logs.report_id):
            lines = [LogEntry(_then(now_ms, line.age_ms), int(line.level), line.text) for line in report.logs.lines]
            store.add_logs(connection, device_row, lines)
    if report.events is not None:
        acknowledged.append(report.events.report_id)
        if store.count_report(connection, device_row, report.events.report_id):
            entries = [EventEntry(_then(now_ms, item.age_ms), item.name, item.data) for item in report.events.events]
            events.publish_told(connection, source, entries, now_ms)
    if report.crash is not None:
        crash = report.crash
        acknowledged.append(crash.report_id)
        if store.count_report(connection, device_row, crash.report_id):
            store.add_crash(connection, device_row, now_ms, crash)
            text = (
                f"Crashed {crash.uptime_s} s after its start: reason {crash.reason}, "
                f"pc 0x{crash.pc:08x}, lr 0x{crash.lr:08x}."
            )
            store.add_history(connection, device_row, now_ms, HistoryKind.CRASH, text)
    return tuple(dict.fromkeys(acknowledged))


def _then(now_ms: int, age_ms: int) -> int:
    return now_ms - min(age_ms, AGE_MAX_MS)
