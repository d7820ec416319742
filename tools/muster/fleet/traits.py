# SPDX-License-Identifier: Apache-2.0
"""What kind of device each one of a simulated fleet is: when it wakes, and how it fares with updates."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from enum import Enum

from muster.errors import ValueOutOfRange

DAY_S = 24 * 3600
OFFICE_OPENS_S, OFFICE_CLOSES_S = 7 * 3600, 19 * 3600
BATTERY_INTERVALS = 12
"""A device on a battery wakes once in so many of the intervals that the server wishes."""
BATTERY_DAYS_MAX = 60
"""A battery that the simulation begins with lasts up to so long."""


class Habit(Enum):
    """When a device can be heard."""

    MAINS = "mains"
    """Always."""
    OFFICE = "office"
    """From seven to nineteen o'clock of its own time zone, on all days."""
    BATTERY = "battery"
    """Seldom, until its battery is empty."""


@dataclass(frozen=True, slots=True)
class Mix:
    """Shares of a fleet, and chances; each from 0 to 1.

    Attributes:
        offices, batteries: devices with that habit; the others run on mains.
        failures: updates that a device reverts.
        crashes: updated devices that crash once afterwards.

    Raises:
        ValueOutOfRange: no such share.
    """

    offices: float = 0.2
    batteries: float = 0.1
    failures: float = 0.0
    crashes: float = 0.0

    def __post_init__(self) -> None:
        shares = (self.offices, self.batteries, self.failures, self.crashes)
        if not all(0 <= share <= 1 for share in shares) or self.offices + self.batteries > 1:
            raise ValueOutOfRange("a share is from 0 to 1, and offices and batteries together are at most 1")


@dataclass(frozen=True, slots=True)
class Traits:
    """What is drawn for one device, each from its seed: a number from 0 to 1.

    Attributes:
        habit: when it can be heard.
        phase: where in its interval it comes; also its time zone, and what is left of its battery.
        image: which of the images it runs at first.
        luck: it reverts updates when this is below the share of failures.
        calm: it crashes after an update when this is below the share of crashes.
    """

    habit: Habit
    phase: float
    image: float
    luck: float
    calm: float

    def interval_s(self, wished_s: int) -> int:
        """How often it comes."""
        return wished_s * BATTERY_INTERVALS if self.habit is Habit.BATTERY else wished_s

    def awake_at(self, at_s: float) -> float:
        """The first moment from `at_s` (Unix time) on at which it is awake."""
        if self.habit is not Habit.OFFICE:
            return at_s
        # Offices are all over the world.
        local_s = (at_s + self.phase * DAY_S) % DAY_S
        if local_s < OFFICE_OPENS_S:
            return at_s + OFFICE_OPENS_S - local_s
        if local_s >= OFFICE_CLOSES_S:
            return at_s + DAY_S - local_s + OFFICE_OPENS_S
        return at_s

    def lasts_s(self) -> float:
        """For how long from the simulation's beginning it can be heard."""
        return self.phase * BATTERY_DAYS_MAX * DAY_S if self.habit is Habit.BATTERY else float("inf")


def draw(seed: str, number: int, mix: Mix) -> Traits:
    """What the device of a number is like."""
    digest = hashlib.sha256(f"{seed} {number} traits".encode()).digest()
    kind, phase, image, luck, calm = (int.from_bytes(digest[at : at + 4], "big") / 2**32 for at in range(0, 20, 4))
    habit = Habit.MAINS
    if kind < mix.offices:
        habit = Habit.OFFICE
    elif kind < mix.offices + mix.batteries:
        habit = Habit.BATTERY
    return Traits(habit, phase, image, luck, calm)
