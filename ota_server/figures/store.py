# SPDX-License-Identifier: Apache-2.0
"""SQL for hourly figures."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    Table,
    and_,
    case,
    delete,
    func,
    literal,
    or_,
    select,
    update,
)

from ota_server.customers import store as customers
from ota_server.devices.models import devices as devices_table
from ota_server.figures.models import HOUR_MS, Hour, figure_marks, product_hours
from ota_server.figures.standing import Standing
from ota_server.products.models import products
from ota_server.rollouts.models import OutcomeKind, outcomes
from ota_server.storage.sql import insert_once
from ota_server.telemetry.events import RESERVED
from ota_server.telemetry.models import crashes, events, logs

ACTIVE_MS = 30 * 24 * HOUR_MS
"""A customer who asked for something since is active."""
KEPT_HOURS = 400 * 24
ERROR = 3

_HOUR = [product_hours.c[field.name] for field in fields(Hour)]


@dataclass(frozen=True, slots=True)
class Mark:
    """How far a table's rows were counted, which was its newest row when, and the last one that was there before."""

    counted_id: int
    seen_id: int
    seen_ms: int
    first_id: int


def of_product(connection: Connection, product_id: int, first_hour: int) -> list[Hour]:
    """From an hour on, oldest first; hours in which no server ran are missing."""
    rows = connection.execute(
        select(*_HOUR)
        .where(product_hours.c.product_id == product_id, product_hours.c.hour >= first_hour)
        .order_by(product_hours.c.hour)
    )
    return [Hour(*row) for row in rows]


def product_ids(connection: Connection) -> list[int]:
    return list(connection.execute(select(products.c.id).order_by(products.c.id)).scalars())


def stand(connection: Connection, product_id: int, standing: Standing, now_ms: int) -> dict[str, object]:
    """What there is now."""
    versions: Counter[str] = Counter()
    for version, _, count in standing.versions:
        versions["" if version is None else str(version)] += count
    return {
        "devices": versions.total(),
        "online": standing.online,
        "customers": customers.count(connection, product_id),
        "active_customers": customers.active_since(connection, product_id, now_ms - ACTIVE_MS),
        "versions": json.dumps(versions, sort_keys=True),
    }


def total(versions: str) -> int:
    """Devices of all versions of an hour."""
    return sum(json.loads(versions).values())


def keep(connection: Connection, product_id: int, hour: int, values: Mapping[str, object]) -> None:
    """Sets what there is at the end of an hour, as far as it has gone."""
    insert_once(connection, product_hours, {"product_id": product_id, "hour": hour})
    where = and_(product_hours.c.product_id == product_id, product_hours.c.hour == hour)
    connection.execute(update(product_hours).where(where).values(values))


def add(connection: Connection, product_id: int, hour: int, counts: Mapping[str, int]) -> None:
    """Adds to what was counted in an hour."""
    keep(connection, product_id, hour, {name: product_hours.c[name] + count for name, count in counts.items()})


def marks(connection: Connection) -> dict[str, Mark]:
    return {
        row.name: Mark(row.counted_id, row.seen_id, row.seen_ms, row.first_id)
        for row in connection.execute(select(figure_marks))
    }


def move_mark(connection: Connection, name: str, before: Mark | None, after: Mark) -> bool:
    """Moves a mark on; False when another process has done it."""
    values = asdict(after)
    if before is None:
        return insert_once(connection, figure_marks, {"name": name, **values})
    where = and_(figure_marks.c.name == name, figure_marks.c.seen_ms == before.seen_ms)
    where = and_(where, figure_marks.c.counted_id == before.counted_id)
    return connection.execute(update(figure_marks).where(where).values(values)).rowcount == 1


def newest_id(connection: Connection, name: str) -> int:
    return connection.execute(select(func.max(TABLES[name].c.id))).scalar_one() or 0


def counts(
    connection: Connection, name: str, first_id: int, last_id: int, since_ms: int = 0
) -> dict[int, dict[str, int]]:
    """What rows of a table (first_id < id <= last_id) since a time add to the figures, by product."""
    table = TABLES[name].c
    where = (table.id > first_id, table.id <= last_id, table.at_ms >= since_ms)
    rows = connection.execute(_ADDED[name].where(*where))
    found: dict[int, dict[str, int]] = {}
    for product_id, column, count in rows:
        if product_id is not None:
            found.setdefault(product_id, {})[column] = count
    return found


def forget_old(connection: Connection, hour: int) -> None:
    connection.execute(delete(product_hours).where(product_hours.c.hour < hour - KEPT_HOURS))


TABLES: Mapping[str, Table] = {"events": events, "logs": logs, "crashes": crashes, "outcomes": outcomes}
"""Whose new rows are counted."""

_Counts = Select[int | None, str, int]


def _adds(name: str, *where: ColumnElement[bool]) -> _Counts:
    """Rows of a table that all add to one figure."""
    column = {"logs": "errors"}.get(name, name)
    product_id = TABLES[name].c.product_id
    return select(product_id, literal(column), func.count()).where(*where).group_by(product_id)


def _outcomes() -> _Counts:
    column = case((outcomes.c.kind == OutcomeKind.CONFIRMED, "confirmed"), else_="failures")
    counted = or_(outcomes.c.kind == OutcomeKind.CONFIRMED, outcomes.c.is_failure.is_(True))
    return (
        select(devices_table.c.product_id, column, func.count())
        .select_from(outcomes)
        .join(devices_table, devices_table.c.id == outcomes.c.device_row)
        .where(counted)
        .group_by(devices_table.c.product_id, column)
    )


_ADDED: Mapping[str, _Counts] = {
    "events": _adds(
        "events", events.c.device_row.is_not(None), *(~events.c.name.startswith(begin) for begin in RESERVED)
    ),
    "logs": _adds("logs", logs.c.level >= ERROR),
    "crashes": _adds("crashes"),
    "outcomes": _outcomes(),
}
