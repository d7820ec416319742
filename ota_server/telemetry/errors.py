# SPDX-License-Identifier: Apache-2.0
"""Errors of a product's devices, grouped: the same reason on the same version is one group."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, select

from ota_server.devices.models import devices
from ota_server.telemetry.models import history, logs
from ota_server.telemetry.product_log import LEVELS, Level

LOOKED_MAX = 5000
"""Entries of each kind that are looked through, newest first."""
REASON_MAX = 200
LINE = "line"
"""The kind of what devices logged themselves."""

_ERRORS = [kind for kind, level in LEVELS.items() if level is Level.ERROR]
_NUMBER = re.compile(r"(?<!reason )(?<!\d)(?:0x[0-9a-fA-F]+|\d+)")
"""Not those of reasons, which tell crashes apart."""


@dataclass(frozen=True, slots=True)
class ErrorGroup:
    """Errors that differ in numbers only.

    Attributes:
        kind: of what happened to devices (`HistoryKind`), or LINE.
        reason: the text with # for its numbers.
        version: what their devices run now; None: not told.
        part: of the text, without numbers: what to search the log for.
    """

    kind: str
    reason: str
    version: int | None
    count: int
    devices: int
    first_ms: int
    last_ms: int
    part: str


@dataclass(frozen=True, slots=True)
class ErrorGroups:
    """Groups, most entries first. `is_cut`: there are older entries that were not looked through."""

    groups: list[ErrorGroup]
    is_cut: bool


def grouped(connection: Connection, product_id: int, since_ms: int) -> ErrorGroups:
    """What went wrong since."""
    found: dict[tuple[str, str, int | None], list[tuple[int, int]]] = {}
    is_cut = False
    for table, columns in ((history, (history.c.kind, history.c.text)), (logs, (logs.c.level, logs.c.text))):
        # The newest by their index first: only those are looked at.
        newest = (
            select(table.c.device_row, table.c.at_ms, *columns)
            .where(table.c.product_id == product_id, table.c.at_ms >= since_ms)
            .order_by(table.c.at_ms.desc(), table.c.id.desc())
            .limit(LOOKED_MAX)
        )
        entries = connection.execute(newest).all()
        is_cut |= len(entries) == LOOKED_MAX
        wrong = [one for one in entries if one[2] in _ERRORS or (table is logs and one[2] >= Level.ERROR)]
        runs = _versions(connection, {one.device_row for one in wrong})
        for device_row, at_ms, kind, text in wrong:
            key = (LINE if table is logs else kind.value, reason_of(text), runs.get(device_row))
            found.setdefault(key, []).append((at_ms, device_row))
    groups = [
        ErrorGroup(
            kind,
            reason,
            version,
            count=len(entries),
            devices=len({device_row for _, device_row in entries}),
            first_ms=min(at_ms for at_ms, _ in entries),
            last_ms=max(at_ms for at_ms, _ in entries),
            part=max(reason.split("#"), key=len).strip(),
        )
        for (kind, reason, version), entries in found.items()
    ]
    return ErrorGroups(sorted(groups, key=lambda group: (-group.count, -group.last_ms)), is_cut)


def reason_of(text: str) -> str:
    """A text without what differs from one time to the next."""
    return _NUMBER.sub("#", text[:REASON_MAX])


def _versions(connection: Connection, rows: Iterable[int]) -> Mapping[int, int | None]:
    """What devices run now, by their row."""
    wanted, found = list(rows), {}
    for at in range(0, len(wanted), 500):
        query = select(devices.c.id, devices.c.product_version).where(devices.c.id.in_(wanted[at : at + 500]))
        found.update({row.id: row.product_version for row in connection.execute(query)})
    return found
