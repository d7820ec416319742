# SPDX-License-Identifier: Apache-2.0
"""When a rollout may offer: from when on, at which times, how fast, and whether devices are asked."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import NoReturn

from ota_server.errors import Invalid
from ota_server.rollouts.windows import DAYS, Day, Window, minute_of_day, opening_ms
from ota_server.times import check_time_zone, rfc3339

WINDOWS_MAX = 21
PER_MINUTE_MAX = 1_000_000
POSTPONE_MAX_S = 30 * 24 * 3600
OF_DEVICE = "device"
"""As a time zone: each device's own."""
_TIME_MS_MAX = 253_370_764_800_000
"""The year 9999, the last one that has a form in ISO 8601."""
_KEYS = frozenset({"start_at", "windows", "time_zone", "per_minute", "priority", "deadline", "consent"})


class Priority(StrEnum):
    NORMAL = "normal"
    SECURITY = "security"
    """Goes before other rollouts, waits for no window and asks no device."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """When and how fast a rollout offers.

    Attributes:
        start_ms: when it begins after it was started; None: at once.
        windows: when devices may be offered something; none: always.
        time_zone: whose clock the windows go by: a name of the time zone database, or `device`.
        per_minute: most devices that are offered it in a minute; None: as they come.
        deadline_ms: from then on neither windows nor a device's wish hold it back.
        postpone_max_s: for how long a device may put it off since it was first offered; None: devices are not asked.
    """

    start_ms: int | None = None
    windows: tuple[Window, ...] = ()
    time_zone: str = OF_DEVICE
    per_minute: int | None = None
    priority: Priority = Priority.NORMAL
    deadline_ms: int | None = None
    postpone_max_s: int | None = None

    @property
    def is_plain(self) -> bool:
        """Whether nothing of it matters once it has begun."""
        return replace(self, start_ms=None, time_zone=OF_DEVICE, deadline_ms=None) == Schedule()

    def opening_ms(self, device_zone: str, now_ms: int) -> int:
        """When a device may be offered something next: now, or when a window opens or the deadline comes."""
        if self.priority is Priority.SECURITY or not self.windows or self._is_over(now_ms):
            return now_ms
        zone = device_zone if self.time_zone == OF_DEVICE else self.time_zone
        opening = opening_ms(self.windows, zone, now_ms)
        return opening if self.deadline_ms is None else min(opening, self.deadline_ms)

    def consent_s(self, asked_ms: int, now_ms: int) -> int:
        """For how many seconds from now a device that was first asked then may still put it off; 0: not any more."""
        if self.priority is Priority.SECURITY or self.postpone_max_s is None:
            return 0
        until_ms = asked_ms + self.postpone_max_s * 1000
        if self.deadline_ms is not None:
            until_ms = min(until_ms, self.deadline_ms)
        # A clock that went back gives nobody more than there is.
        return min(max(0, (until_ms - now_ms) // 1000), self.postpone_max_s)

    def _is_over(self, now_ms: int) -> bool:
        return self.deadline_ms is not None and self.deadline_ms <= now_ms

    def to_json(self) -> dict[str, object]:
        """As the API shows and takes it: what is left out has its default."""
        shown: dict[str, object] = {
            "start_at": None if self.start_ms is None else rfc3339(self.start_ms),
            "windows": [window.to_json() for window in self.windows],
            "time_zone": None if self.time_zone == OF_DEVICE else self.time_zone,
            "per_minute": self.per_minute,
            "priority": None if self.priority is Priority.NORMAL else self.priority.value,
            "deadline": None if self.deadline_ms is None else rfc3339(self.deadline_ms),
            "consent": None if self.postpone_max_s is None else {"postpone_max_s": self.postpone_max_s},
        }
        return {name: value for name, value in shown.items() if value not in (None, [])}

    @classmethod
    def from_json(cls, value: object) -> Schedule:
        """Parses what `to_json` makes, and what people write.

        Raises:
            Invalid: what is wrong, and in which field.
        """
        found = _object(value, "schedule", _KEYS)
        windows = found.get("windows", [])
        if not isinstance(windows, list) or len(windows) > WINDOWS_MAX:
            raise Invalid(f"windows is a list of at most {WINDOWS_MAX}", "windows")
        zone = found.get("time_zone")
        start_ms, deadline_ms = _time(found, "start_at"), _time(found, "deadline")
        if start_ms is not None and deadline_ms is not None and deadline_ms <= start_ms:
            raise Invalid("deadline comes after start_at", "deadline")
        return cls(
            start_ms=start_ms,
            windows=tuple(_window(item) for item in windows),
            time_zone=OF_DEVICE if zone in (None, OF_DEVICE) else check_time_zone(zone, "time_zone"),
            per_minute=_number(found, "per_minute", PER_MINUTE_MAX),
            priority=_priority(found.get("priority")),
            deadline_ms=deadline_ms,
            postpone_max_s=_postpone_max_s(found.get("consent")),
        )

    def to_text(self) -> str:
        """For the database."""
        return json.dumps(self.to_json(), sort_keys=True, separators=(",", ":"))

    @classmethod
    def from_text(cls, text: str) -> Schedule:
        return cls.from_json(json.loads(text))

    def is_due(self, now_ms: int) -> bool:
        """Whether the time to begin has come."""
        return self.start_ms is None or self.start_ms <= now_ms

    def in_words(self) -> list[str]:
        """What there is to it, a sentence each; nothing for one that offers at once to whoever comes."""
        zone = "each device's time zone" if self.time_zone == OF_DEVICE else self.time_zone
        windows = "; ".join(window.in_words() for window in self.windows)
        sentences = [
            (
                self.priority is Priority.SECURITY,
                "Security: goes before other rollouts, waits for no window and asks no device.",
            ),
            (self.start_ms is not None, f"Starts at {_words(self.start_ms)}."),
            (bool(self.windows), f"Offers {windows}, by the clock of {zone}."),
            (self.per_minute is not None, f"Offers to at most {self.per_minute} devices a minute."),
            (self.postpone_max_s is not None, f"A device may put it off for at most {self.postpone_max_s} s."),
            (
                self.deadline_ms is not None,
                f"From {_words(self.deadline_ms)} on it waits for no window and asks no device.",
            ),
        ]
        return [sentence for is_said, sentence in sentences if is_said]


class ComeBacks:
    """When devices that are over a limit come back: one after the other, as fast as the limit lets them in.

    The limit itself is kept elsewhere: who comes earlier or later than told meets it again.
    """

    def __init__(self) -> None:
        self._next_ms: dict[int, int] = {}

    def wait_s(self, rollout_id: int, per_minute: int, now_ms: int, most_s: int) -> int:
        """How long the next device waits; `most_s` when that is sooner than its turn would be."""
        turn_ms = max(self._next_ms.get(rollout_id, 0), minute_end_ms(now_ms))
        wait_s = -(-(turn_ms - now_ms) // 1000)
        if not 0 < wait_s < most_s:
            # The clock was set back, or it comes before its turn and is given another one then.
            self._next_ms[rollout_id] = min(turn_ms, now_ms + most_s * 1000)
            return most_s
        self._next_ms[rollout_id] = turn_ms + max(1, 60_000 // per_minute)
        return wait_s


def minute_end_ms(now_ms: int) -> int:
    """When the minute of the clock ends by which limits count."""
    return (now_ms // 60_000 + 1) * 60_000


def _words(at_ms: int | None) -> str:
    return "" if at_ms is None else datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M UTC")


def _object(value: object, name: str, keys: frozenset[str]) -> Mapping[str, object]:
    if not isinstance(value, dict):
        raise Invalid(f"{name} is an object", name)
    for key in value:
        if key not in keys:
            raise Invalid(f"{name} has no {str(key)[:40]!r}: it has {', '.join(sorted(keys))}", name)
    return value


def _window(value: object) -> Window:
    found = _object(value, "windows", frozenset({"days", "from", "to"}))
    days = found.get("days", list(DAYS))
    if not isinstance(days, list) or not days or not all(day in DAYS for day in days):
        raise Invalid(f"days are among {', '.join(DAYS)}", "windows")
    begin = minute_of_day(found.get("from"), "from", latest=23 * 60 + 59)
    return Window(frozenset(Day(day) for day in days), begin, minute_of_day(found.get("to"), "to"))


def _time(found: Mapping[str, object], field: str) -> int | None:
    text = found.get(field)
    if text is None:
        return None
    try:
        at = datetime.fromisoformat(text if isinstance(text, str) and len(text) <= 40 else "")
        at_ms = round(at.timestamp() * 1000) if at.tzinfo is not None else _no_zone()
    except (ValueError, OverflowError) as error:
        raise Invalid(f"{field} is a time with its offset, such as 2027-01-15T22:00:00Z", field) from error
    if not 0 <= at_ms < _TIME_MS_MAX:
        raise Invalid(f"{field} is a time after 1970 and before 9999", field)
    return at_ms


def _no_zone() -> NoReturn:
    raise ValueError("a time without an offset from UTC")


def _number(found: Mapping[str, object], field: str, most: int) -> int | None:
    number = found.get(field)
    if number is None:
        return None
    if type(number) is not int or not 1 <= number <= most:
        raise Invalid(f"{field} is 1 to {most}", field)
    return number


def _priority(value: object) -> Priority:
    if value is None:
        return Priority.NORMAL
    if not isinstance(value, str) or value not in set(Priority):
        raise Invalid(f"priority is {' or '.join(Priority)}", "priority")
    return Priority(value)


def _postpone_max_s(value: object) -> int | None:
    if value is None:
        return None
    found = _object(value, "consent", frozenset({"postpone_max_s"}))
    if "postpone_max_s" not in found:
        raise Invalid("consent says for how long at most: postpone_max_s", "consent")
    return _number(found, "postpone_max_s", POSTPONE_MAX_S)
