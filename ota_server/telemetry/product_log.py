# SPDX-License-Identifier: Apache-2.0
"""The log of a product: what all its devices told and what happened to them, in one list, newest first."""

from __future__ import annotations

import heapq
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum, StrEnum

from sqlalchemy import (
    ColumnElement,
    Connection,
    FromClause,
    Integer,
    String,
    and_,
    case,
    cast,
    func,
    literal,
    or_,
    select,
)

from ota_server.devices.models import devices
from ota_server.errors import Invalid
from ota_server.storage.sql import has_part
from ota_server.telemetry.models import HistoryKind, events, history, logs

LIMIT_MAX = 1000
LOOKED_MAX = 20_000
"""Entries of each kind that a search for a text, a version or a cohort looks through at a time."""


class EntryKind(StrEnum):
    """Where entries come from, in the order of those of one time."""

    HISTORY = "history"
    """Starts, versions, updates, crashes, and what people changed."""
    EVENT = "event"
    LOG = "log"
    """Lines that devices logged."""


class Level(IntEnum):
    """How much an entry matters, as devices say it of their lines."""

    DEBUG = 0
    INFO = 1
    WARNING = 2
    ERROR = 3


LEVELS: Mapping[HistoryKind, Level] = {
    **dict.fromkeys(HistoryKind, Level.INFO),
    **dict.fromkeys(
        (HistoryKind.QUARANTINED, HistoryKind.INTERRUPTED, HistoryKind.NO_CONTACT, HistoryKind.ALERT), Level.WARNING
    ),
    **dict.fromkeys((HistoryKind.REVERTED, HistoryKind.FAILED, HistoryKind.STOPPED, HistoryKind.CRASH), Level.ERROR),
}
"""What happened to a device matters so much. Events are INFO."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where an entry is in the list; what is behind it is older."""

    at_ms: int
    kind: EntryKind
    id: int

    @classmethod
    def parse(cls, text: str) -> Place:
        """Reads what `str` wrote. Raises Invalid."""
        match = re.fullmatch(r"([0-9]{1,15})-([a-z]{1,10})-([0-9]{1,18})", text)
        if match is None or match[2] not in list(EntryKind):
            raise Invalid("not a place in the log: take one from an answer", "before")
        return cls(int(match[1]), EntryKind(match[2]), int(match[3]))

    def __str__(self) -> str:
        return f"{self.at_ms}-{self.kind}-{self.id}"


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the log.

    Attributes:
        device_id: None for an event that no device published.
        name: an event's name, or the kind of what happened; empty for lines that devices logged.
    """

    place: Place
    device_id: str | None
    level: Level
    name: str
    text: str

    @property
    def at_ms(self) -> int:
        return self.place.at_ms


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which entries.

    Attributes:
        kinds: empty for all.
        level: the lowest.
        device_row: None for those of every device.
        version: only of devices that run it now.
        like: only of devices for which this holds now.
        name: how names begin.
        names: empty for all.
        text: a part of the text, in letters of any case.
        since_ms, until_ms: None for no bound; `until_ms` itself is left out.
        before: only what is behind this place.
    """

    kinds: frozenset[EntryKind] = frozenset()
    level: Level = Level.DEBUG
    device_row: int | None = None
    version: int | None = None
    like: ColumnElement[bool] | None = None
    name: str = ""
    names: frozenset[str] = frozenset()
    text: str = ""
    since_ms: int | None = None
    until_ms: int | None = None
    before: Place | None = None

    @property
    def is_sifting(self) -> bool:
        """Whether entries have to be looked at that are not wanted."""
        return bool(self.text) or self.version is not None or self.like is not None


@dataclass(frozen=True, slots=True)
class Page:
    """Entries, newest first.

    Attributes:
        next: where the next page begins; None at the end.
        is_cut: older entries were not looked through yet, though fewer were found than asked for.
    """

    entries: Sequence[Entry]
    next: Place | None
    is_cut: bool


def read(connection: Connection, product_id: int, wanted: Wanted, limit: int) -> Page:
    """Reads at most `limit` (1 to LIMIT_MAX) entries.

    What it costs does not grow with the log: a search looks through LOOKED_MAX entries of each kind, and says where
    to go on.
    """
    assert 1 <= limit <= LIMIT_MAX
    found, ends = [], []
    for kind in EntryKind:
        if wanted.kinds and kind not in wanted.kinds:
            continue
        entries, end = _of_kind(connection, product_id, kind, wanted, limit)
        found.append(entries)
        ends.append(end)
    merged = list(heapq.merge(*found, key=lambda entry: _order(entry.place)))
    # Behind the place where the search of a kind stopped, entries of the others would stand out of their order.
    stops = [end for end in ends if end is not None]
    stop = min(stops, key=_order, default=None)
    shown = [entry for entry in merged if stop is None or _order(entry.place) <= _order(stop)][:limit]
    if len(shown) == limit:
        return Page(shown, shown[-1].place, is_cut=False)
    return Page(shown, stop, is_cut=stop is not None)


def _order(place: Place) -> tuple[int, int, int]:
    """Newest first."""
    return -place.at_ms, list(EntryKind).index(place.kind), -place.id


def _of_kind(
    connection: Connection, product_id: int, kind: EntryKind, wanted: Wanted, limit: int
) -> tuple[list[Entry], Place | None]:
    """Its entries, newest first, and where it stopped looking before it had found `limit` of them."""
    table = {EntryKind.HISTORY: history, EntryKind.EVENT: events, EntryKind.LOG: logs}[kind]
    level, name, text = _columns(kind)
    where = [table.c.product_id == product_id, *_bounds(table, kind, wanted)]
    if wanted.level > Level.DEBUG:
        where.append(level >= wanted.level)
    if wanted.name:
        where.append(name.startswith(wanted.name, autoescape=True))
    if wanted.names:
        where.append(name.in_(wanted.names))
    newest = (
        select(
            table.c.id,
            table.c.at_ms,
            table.c.device_row,
            level.label("level"),
            name.label("name"),
            text.label("text"),
        )
        .where(*where)
        .order_by(table.c.at_ms.desc(), table.c.id.desc())
        .limit(LOOKED_MAX if wanted.is_sifting else limit)
        .subquery()
    )
    sieve: list[ColumnElement[bool]] = []
    if wanted.text:
        sieve.append(or_(*(has_part(connection, newest.c[key], wanted.text) for key in ("name", "text"))))
    if wanted.version is not None:
        sieve.append(devices.c.product_version == wanted.version)
    if wanted.like is not None:
        sieve += [newest.c.device_row.is_not(None), wanted.like]
    rows = connection.execute(
        select(newest.c.id, newest.c.at_ms, devices.c.device_id, newest.c.level, newest.c.name, newest.c.text)
        .outerjoin(devices, devices.c.id == newest.c.device_row)
        .where(*sieve)
        .order_by(newest.c.at_ms.desc(), newest.c.id.desc())
        .limit(limit)
    )
    entries = [Entry(Place(at_ms, kind, number), who, Level(at), *rest) for number, at_ms, who, at, *rest in rows]
    if not wanted.is_sifting or len(entries) == limit:
        return entries, None
    return entries, _end(connection, newest, kind)


def _end(connection: Connection, newest: FromClause, kind: EntryKind) -> Place | None:
    """The oldest entry that was looked at, if there may be more behind it."""
    count = connection.execute(select(func.count()).select_from(newest)).scalar_one()
    if count < LOOKED_MAX:
        return None
    oldest = select(newest.c.id, newest.c.at_ms).order_by(newest.c.at_ms, newest.c.id).limit(1)
    number, at_ms = connection.execute(oldest).one()
    return Place(at_ms, kind, number)


def _columns(kind: EntryKind) -> tuple[ColumnElement[int], ColumnElement[str], ColumnElement[str]]:
    """Level, name and text of the rows of a kind."""
    if kind is EntryKind.LOG:
        return logs.c.level, literal("", String), logs.c.text
    if kind is EntryKind.EVENT:
        return literal(int(Level.INFO), Integer), events.c.name, events.c.data
    by_kind = case({one.value: int(level) for one, level in LEVELS.items()}, value=cast(history.c.kind, String))
    return by_kind, cast(history.c.kind, String), history.c.text


def _bounds(table: FromClause, kind: EntryKind, wanted: Wanted) -> list[ColumnElement[bool]]:
    at_ms, where = table.c.at_ms, []
    if wanted.device_row is not None:
        where.append(table.c.device_row == wanted.device_row)
    if wanted.since_ms is not None:
        where.append(at_ms >= wanted.since_ms)
    if wanted.until_ms is not None:
        where.append(at_ms < wanted.until_ms)
    if wanted.before is not None:
        before, rank = wanted.before, list(EntryKind).index(kind)
        own_rank = list(EntryKind).index(before.kind)
        where.append(at_ms <= before.at_ms)
        is_behind: ColumnElement[bool] = at_ms < before.at_ms
        if rank == own_rank:
            is_behind = or_(is_behind, and_(at_ms == before.at_ms, table.c.id < before.id))
        elif rank > own_rank:
            is_behind = or_(is_behind, at_ms == before.at_ms)
        where.append(is_behind)
    return where
