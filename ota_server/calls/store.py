# SPDX-License-Identifier: Apache-2.0
"""SQL for calls."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, delete, func, insert, select, update

from ota_server.calls.models import CallKind, WaitingCall, calls


def add(connection: Connection, device_row: int, call: WaitingCall, expires_ms: int) -> None:
    connection.execute(
        insert(calls).values(
            id=call.id,
            device_row=device_row,
            kind=call.kind,
            name=call.name,
            argument=call.argument,
            expires_ms=expires_ms,
        )
    )


def count_waiting(connection: Connection, device_row: int, now_ms: int) -> int:
    return connection.execute(
        select(func.count())
        .select_from(calls)
        .where(calls.c.device_row == device_row, calls.c.result.is_(None), calls.c.expires_ms > now_ms)
    ).scalar_one()


def waiting(connection: Connection, device_row: int, now_ms: int) -> list[WaitingCall]:
    """What a device has not answered and somebody still waits for, oldest first."""
    rows = connection.execute(
        select(calls.c.id, calls.c.kind, calls.c.name, calls.c.argument)
        .where(calls.c.device_row == device_row, calls.c.result.is_(None), calls.c.expires_ms > now_ms)
        .order_by(calls.c.expires_ms, calls.c.id)
    )
    return [WaitingCall(*row) for row in rows]


def finish(connection: Connection, device_row: int, call_id: int, kinds: Sequence[CallKind], result: str) -> bool:
    """Keeps what a device has told; False when nobody waits for it, or it was told before."""
    changed = connection.execute(
        update(calls)
        .where(
            calls.c.id == call_id,
            calls.c.device_row == device_row,
            calls.c.kind.in_(kinds),
            calls.c.result.is_(None),
        )
        .values(result=result)
    )
    return changed.rowcount == 1


def result_of(connection: Connection, call_id: int) -> str | None:
    return connection.execute(select(calls.c.result).where(calls.c.id == call_id)).scalar_one_or_none()


def remove(connection: Connection, call_id: int) -> None:
    connection.execute(delete(calls).where(calls.c.id == call_id))


def forget_before(connection: Connection, before_ms: int) -> None:
    """Removes calls whose callers went away with a server that was killed."""
    connection.execute(delete(calls).where(calls.c.expires_ms < before_ms))
