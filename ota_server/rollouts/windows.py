# SPDX-License-Identifier: Apache-2.0
"""Times of the day at which updates may begin, by the clock on the wall of a time zone."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from zoneinfo import ZoneInfo

from ota_server import times
from ota_server.errors import Invalid

DAY_MINUTES = 24 * 60
MINUTE_MS = 60_000
LOOK_AHEAD_DAYS = 15
"""A window of one day a week whose hour is skipped opens in the week after: further nothing is looked for."""
_TIME = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])|24:00")


class Day(StrEnum):
    MONDAY = "monday"
    TUESDAY = "tuesday"
    WEDNESDAY = "wednesday"
    THURSDAY = "thursday"
    FRIDAY = "friday"
    SATURDAY = "saturday"
    SUNDAY = "sunday"


DAYS = tuple(Day)
"""By `date.weekday()`."""


@dataclass(frozen=True, slots=True)
class Window:
    """From a minute of these days, counted from midnight, to another one; the day after when that is not later."""

    days: frozenset[Day]
    from_minute: int
    to_minute: int

    @property
    def crosses_midnight(self) -> bool:
        return self.to_minute <= self.from_minute

    def is_open(self, wall: datetime) -> bool:
        """Whether a clock on the wall shows a time inside."""
        minute = wall.hour * 60 + wall.minute
        if not self.crosses_midnight:
            return _day(wall.date()) in self.days and self.from_minute <= minute < self.to_minute
        began_today = minute >= self.from_minute and _day(wall.date()) in self.days
        return began_today or (minute < self.to_minute and _day(wall.date() - timedelta(days=1)) in self.days)

    def to_json(self) -> dict[str, object]:
        return {
            "days": [day.value for day in DAYS if day in self.days],
            "from": _clock(self.from_minute),
            "to": _clock(self.to_minute),
        }

    def in_words(self) -> str:
        days = "daily" if len(self.days) == len(DAYS) else ", ".join(day.value for day in DAYS if day in self.days)
        return f"{days} {_clock(self.from_minute)} to {_clock(self.to_minute)}"


def minute_of_day(text: object, field: str, latest: int = DAY_MINUTES) -> int:
    """Minutes since midnight of `HH:MM`. Raises Invalid."""
    match = _TIME.fullmatch(text) if isinstance(text, str) else None
    minute = 0
    if match is not None:
        minute = DAY_MINUTES if match.group(1) is None else int(match.group(1)) * 60 + int(match.group(2))
    if match is None or minute > latest:
        raise Invalid(f"{field} is a time of the day such as 22:00, at most {_clock(latest)}", field)
    return minute


def opening_ms(windows: Sequence[Window], time_zone: str, now_ms: int) -> int:
    """When one of the windows is open next: now, if one is. Never before now; now without windows.

    What counts is the clock on the wall: a window inside an hour that is skipped does not open on that day, one inside
    an hour that comes twice opens twice.
    """
    if not windows:
        return now_ms
    # What is inside a window changes with the minute only.
    next_minute = _next_open_minute(tuple(windows), time_zone, now_ms // MINUTE_MS)
    return max(now_ms, next_minute * MINUTE_MS)


@lru_cache(maxsize=4096)
def _next_open_minute(windows: tuple[Window, ...], time_zone: str, minute: int) -> int:
    zone = times.zone(time_zone)

    def is_open(at: int) -> bool:
        wall = _wall(zone, at)
        return any(window.is_open(wall) for window in windows)

    if is_open(minute):
        return minute
    later = (at for at in _candidates(windows, zone, minute) if at > minute)
    return next((at for at in sorted(later) if is_open(at)), minute + LOOK_AHEAD_DAYS * DAY_MINUTES)


def _candidates(windows: Sequence[Window], zone: ZoneInfo, minute: int) -> list[int]:
    """Every minute at which a closed window may open: when its time comes, and when the clock on the wall is set."""
    today = _wall(zone, minute).date()
    found = []
    for number in range(LOOK_AHEAD_DAYS):
        day = today + timedelta(days=number)
        noon = datetime(day.year, day.month, day.day, 12, tzinfo=zone)
        for window in windows:
            begin = datetime(day.year, day.month, day.day, *divmod(window.from_minute, 60), tzinfo=zone)
            found += [_minute(begin), _minute(begin.replace(fold=1))]
        found += _clock_set(zone, _minute(noon - timedelta(days=1)), _minute(noon))
    return found


def _clock_set(zone: ZoneInfo, first: int, last: int) -> list[int]:
    """The minute after `first` and up to `last` from which the zone has another offset."""
    before = _wall(zone, first).utcoffset()
    if _wall(zone, last).utcoffset() == before:
        return []
    minutes = range(first, last)
    return [first + bisect_left(minutes, True, key=lambda at: _wall(zone, at).utcoffset() != before)]


def _wall(zone: ZoneInfo, minute: int) -> datetime:
    return datetime.fromtimestamp(minute * 60, zone)


def _minute(at: datetime) -> int:
    return int(at.astimezone(UTC).timestamp()) // 60


def _day(day: date) -> Day:
    return DAYS[day.weekday()]


def _clock(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"
