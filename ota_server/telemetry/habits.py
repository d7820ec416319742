# SPDX-License-Identifier: Apache-2.0
"""When a device is used to check in, in 46 bytes: a pure function of its check-ins, kept in its row.

For each hour of the week there is a count of 0 to 3. It rises in a week in which the device was heard in that hour,
and falls in one in which it was not. Beside it is the share of hours in which the device was heard at all, which
fades with the weeks. So a habit tells an office that sleeps at night from a sensor that wakes once a day, and forgets
what a device did a month ago. A second check-in in one hour changes nothing: most check-ins write no habit.

Weeks begin with the epoch's hour, a Thursday in UTC. Nothing here knows time zones: a change to summer time is learned
within two weeks.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass

HOUR_MS = 3_600_000
WEEK_H = 168
COUNT_MAX = 3
MEMORY_H = 2 * WEEK_H
"""After so many hours the share has forgotten two thirds of what was before."""

_PLANE = WEEK_H // 8
_ALL = (1 << WEEK_H) - 1
_TAIL = struct.Struct("<HH")
SIZE = 2 * _PLANE + _TAIL.size
_FULL = 0xFFFF

# How likely a device is heard in an hour that has this count, before its share of hours scales it: about the mean of
# the likelihoods that lead to such a count, when most are near 0 or 1. Hours of count 0 get what the others leave over.
_CHANCES = (0.0, 0.38, 0.62, 0.97)
_CHANCE_MIN, _CHANCE_MAX = 0.0005, 0.995


@dataclass(frozen=True, slots=True)
class Habit:
    """When a device is used to check in.

    Attributes:
        high, low: the bits of the counts, one for each hour of the week.
        hours: for how long it is known, at most 65,535.
        share: of the hours in which it was heard, of 65,535.
    """

    high: int
    low: int
    hours: int
    share: int

    @property
    def heard_per_hour(self) -> float:
        """The share of hours in which it was heard, of those that it is known."""
        return min(self.share / _FULL / (1 - (1 - 1 / MEMORY_H) ** max(self.hours, 1)), 1.0)

    @classmethod
    def from_bytes(cls, raw: bytes) -> Habit:
        """Raises ValueError."""
        if len(raw) != SIZE:
            raise ValueError(f"a habit has {SIZE} bytes")
        high, low = (int.from_bytes(raw[at : at + _PLANE], "little") for at in (0, _PLANE))
        return cls(high, low, *_TAIL.unpack_from(raw, 2 * _PLANE))

    def to_bytes(self) -> bytes:
        planes = (plane.to_bytes(_PLANE, "little") for plane in (self.high, self.low))
        return b"".join(planes) + _TAIL.pack(self.hours, self.share)

    def count(self, hour: int) -> int:
        """Of an hour since the epoch."""
        at = hour % WEEK_H
        return (self.high >> at & 1) << 1 | (self.low >> at & 1)

    def heard(self, gap: int, hour: int) -> Habit:
        """What it becomes by a check-in in an hour, `gap` hours (1 or more) after that of the last one."""
        high, low = self.high, self.low
        missed = min(gap - 1, COUNT_MAX * WEEK_H)
        while missed:
            hours = min(missed, WEEK_H)
            mask = _mask((hour - missed) % WEEK_H, hours)
            # Of the hours that it missed, each count above 0 falls by one.
            high, low = high & ~mask | high & low & mask, low & ~mask | high & ~low & mask
            missed -= hours
        bit = 1 << hour % WEEK_H
        # And this one's rises, but for 3.
        high, low = high & ~bit | (high | low) & bit, low & ~bit | (high | ~low) & bit
        fade = (1 - 1 / MEMORY_H) ** gap
        share = round(self.share * fade + _FULL / MEMORY_H)
        return Habit(high, low, min(self.hours + gap, _FULL), min(share, _FULL))

    def chances(self) -> Sequence[float]:
        """How likely the device is heard in each hour of the week, while it lives as it did."""
        wanted = self.heard_per_hour * WEEK_H
        planes = zip(f"{self.high:0{WEEK_H}b}", f"{self.low:0{WEEK_H}b}", strict=True)
        counts = [int(high + low, 2) for high, low in planes][::-1]
        told, silent = sum(_CHANCES[count] for count in counts), counts.count(0)
        # The counts say which hours, the share says how many. What is left over goes to the hours that always came, and
        # then to those that never came, or are not known yet.
        scale = min(wanted / told, 1.0) if told else 1.0
        left = max(wanted - told, 0.0)
        room = counts.count(COUNT_MAX) * (_CHANCE_MAX - _CHANCES[COUNT_MAX])
        lift = min(left / room, 1.0) * (_CHANCE_MAX - _CHANCES[COUNT_MAX]) if room else 0.0
        rest = max(left - room, 0.0) / silent if silent else 0.0
        by_count = [rest, *(chance * scale for chance in _CHANCES[1:])]
        by_count[COUNT_MAX] += lift
        return [min(max(by_count[count], _CHANCE_MIN), _CHANCE_MAX) for count in counts]


NEW = Habit(0, 0, 0, 0)


def note(habit: bytes | None, before_ms: int | None, now_ms: int) -> bytes | None:
    """A device's habit after a check-in, given when the one before it was; the same object when nothing changes."""
    hour = now_ms // HOUR_MS
    if habit is None or before_ms is None:
        return NEW.heard(1, hour).to_bytes()
    gap = hour - before_ms // HOUR_MS
    # A clock that went back tells nothing.
    return Habit.from_bytes(habit).heard(gap, hour).to_bytes() if gap > 0 else habit


def silence(habit: Habit, since_ms: int, now_ms: int) -> float:
    """How likely a device that lives as it did was not heard since a check-in; four weeks are looked at, at most."""
    hours = min((now_ms - since_ms) // HOUR_MS, 4 * WEEK_H)
    chances = habit.chances()
    first = since_ms // HOUR_MS + 1
    return math.prod(1 - chances[hour % WEEK_H] for hour in range(first, first + max(hours - 1, 0)))


def _mask(first: int, hours: int) -> int:
    """The bits of so many hours of the week, from one on."""
    straight = (1 << hours) - 1 << first
    return (straight | straight >> WEEK_H) & _ALL
