# SPDX-License-Identifier: Apache-2.0
"""One list of everything that happened to a device, was said by it and done to it, newest first."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from urllib.parse import urlencode

from sqlalchemy import Connection
from starlette.datastructures import QueryParams

from ota_server.audit import store as audit
from ota_server.devices.models import Device
from ota_server.errors import Invalid
from ota_server.products.models import Product
from ota_server.rollouts.models import Attempt
from ota_server.telemetry import product_log
from ota_server.telemetry.models import HistoryKind as History
from ota_server.telemetry.product_log import EntryKind, Place, Wanted

LINES_PER_PAGE = 50
CALLS_MAX = 200
"""That a page looks at."""
CALLS: Mapping[str, str] = {"device.call": "called {}", "device.signal": "had it signal", "device.watch": "watched it"}
"""What the audit log tells of a device and its history does not."""

KINDS: Mapping[str, str] = {
    "updates": "updates",
    "starts": "sessions, versions, crashes",
    "changes": "changes and calls by people",
    "events": "events",
    "log": "log lines",
}
"""In the page's words."""
_STARTS = frozenset({History.OPENED, History.VERSION, History.CRASH})
_CHANGES = frozenset({History.CHANGED, History.QUARANTINED, History.ALERT})
_NAMES: Mapping[str, frozenset[History]] = {
    "starts": _STARTS,
    "changes": _CHANGES,
    "updates": frozenset(History) - _STARTS - _CHANGES,
}
_ENTRIES = {"events": EntryKind.EVENT, "log": EntryKind.LOG}
_LEVELS = ("debug", "info", "warning", "error")


@dataclass(frozen=True, slots=True)
class Asked:
    """What the page is asked for, as it stands in the address.

    Attributes:
        kind: of KINDS; nothing for all.
        before: where an older page begins.
        level: the lowest of the log beside it.
        live: `off` while somebody reads, and nothing shall move.
    """

    kind: str = ""
    before: str = ""
    level: str = "debug"
    live: str = ""

    @property
    def is_live(self) -> bool:
        return not self.before and self.live != "off"

    def but(self, **fields: str) -> str:
        """The address with other fields, relative to the page's."""
        after, plain = replace(self, **fields), Asked()
        names = [name for name in Asked.__slots__ if getattr(after, name) != getattr(plain, name)]
        return "?" + urlencode({name: getattr(after, name) for name in names})


@dataclass(frozen=True, slots=True)
class Line:
    """One line.

    Attributes:
        state: a name in `render.STATES`; empty for events and log lines.
        name: an event's, or a log line's level.
        note: what else is known of it: an update's bytes and duration.
        times: how many equal ones follow each other.
    """

    at_ms: int
    state: str
    name: str
    text: str
    note: str = ""
    times: int = 1


@dataclass(frozen=True, slots=True)
class Timeline:
    """A page. `next`: where the next one begins; None at the end."""

    lines: Sequence[Line]
    next: Place | None


def parse(query: QueryParams) -> Asked:
    """Reads an address. Raises Invalid."""
    asked = Asked(**{name: query.get(name, "")[:64] for name in Asked.__slots__ if query.get(name)})
    if asked.kind and asked.kind not in KINDS:
        raise Invalid("a device's timeline has no such kind of lines", "kind")
    if asked.level not in _LEVELS:
        raise Invalid("there is no such level", "level")
    return asked


def timeline(
    connection: Connection, product: Product, device: Device, attempts: Sequence[Attempt], asked: Asked
) -> Timeline:
    """Reads a page. Raises Invalid."""
    before = Place.parse(asked.before) if asked.before else None
    entry_kind = _ENTRIES.get(asked.kind)
    names = _NAMES.get(asked.kind, frozenset())
    if entry_kind is not None:
        kinds = frozenset({entry_kind})
    else:
        kinds = frozenset({EntryKind.HISTORY}) if names else frozenset()
    wanted = Wanted(kinds, device_row=device.id, names=frozenset(name.value for name in names), before=before)
    page = product_log.read(connection, product.id, wanted, LINES_PER_PAGE)
    by_number = {attempt.number: attempt for attempt in attempts}
    lines = [_line(entry, by_number) for entry in page.entries]
    if asked.kind in ("", "changes"):
        lines += _calls(connection, product, device, before, page.next)
        lines.sort(key=lambda line: -line.at_ms)
    return Timeline(_folded(lines), page.next)


def _line(entry: product_log.Entry, attempts: Mapping[int, Attempt]) -> Line:
    if entry.place.kind is EntryKind.EVENT:
        return Line(entry.at_ms, "", entry.name, entry.text)
    if entry.place.kind is EntryKind.LOG:
        return Line(entry.at_ms, "", entry.level.name.lower(), entry.text)
    found = re.match(r"Attempt (\d+) ", entry.text)
    attempt = attempts.get(int(found[1])) if found is not None else None
    is_end = attempt is not None and attempt.ended_ms == entry.at_ms
    return Line(entry.at_ms, entry.name, "", entry.text, _note(attempt) if attempt is not None and is_end else "")


def _note(attempt: Attempt) -> str:
    """What an update cost."""
    assert attempt.ended_ms is not None
    seconds = (attempt.ended_ms - attempt.offered_ms) // 1000
    fetched = attempt.patch_size if attempt.status.value != "stopped" else attempt.received
    return f"{fetched:,} bytes, {duration(seconds)} after its offer"


def duration(seconds: int) -> str:
    """Such as "3 min"."""
    for size, word in ((86_400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds // size} {word}"
    return f"{seconds} s"


def _calls(
    connection: Connection, product: Product, device: Device, before: Place | None, end: Place | None
) -> list[Line]:
    """What people did between the newest and the oldest time of a page."""
    times = (0 if end is None else end.at_ms, None if before is None else before.at_ms)
    found = audit.about(connection, product.organization_id, device.device_id, list(CALLS), times, CALLS_MAX)
    return [
        Line(line.at_ms, "called", "", f"{line.email or 'Somebody'} {CALLS[line.action].format(line.detail)}.")
        for line in found
    ]


def _folded(lines: Sequence[Line]) -> list[Line]:
    """Equal lines that follow each other as one, with the newest time."""
    folded: list[Line] = []
    for line in lines:
        last = folded[-1] if folded else None
        if last is not None and (last.state, last.name, last.text) == (line.state, line.name, line.text):
            folded[-1] = replace(last, times=last.times + 1)
        else:
            folded.append(line)
    return folded
