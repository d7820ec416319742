# SPDX-License-Identifier: Apache-2.0
"""Devices of a fleet are drawn in the shares asked for, and wake when their habit lets them."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from muster.errors import ValueOutOfRange
from muster.fleet.traits import BATTERY_INTERVALS, DAY_S, OFFICE_CLOSES_S, OFFICE_OPENS_S, Habit, Mix, draw


def test_shares_are_those_of_the_mix() -> None:
    drawn = Counter(draw("seed", number, Mix(offices=0.3, batteries=0.2)).habit for number in range(2000))
    assert 500 < drawn[Habit.OFFICE] < 700
    assert 300 < drawn[Habit.BATTERY] < 500


def test_same_number_is_the_same_device() -> None:
    assert draw("seed", 5, Mix()) == draw("seed", 5, Mix())
    assert draw("seed", 5, Mix()) != draw("other", 5, Mix())


@given(st.integers(0, 1000), st.floats(0, 4e9))
def test_offices_are_awake_by_day_only(number: int, at_s: float) -> None:
    device = draw("seed", number, Mix(offices=1, batteries=0))
    woken_s = device.awake_at(at_s)
    assert at_s <= woken_s <= at_s + DAY_S
    local_s = (woken_s + device.phase * DAY_S) % DAY_S
    assert OFFICE_OPENS_S - 1 <= local_s <= OFFICE_CLOSES_S


def test_batteries_come_seldom_and_end() -> None:
    device = draw("seed", 1, Mix(offices=0, batteries=1))
    assert device.interval_s(300) == 300 * BATTERY_INTERVALS
    assert device.lasts_s() < float("inf")


@pytest.mark.parametrize("shares", [{"offices": 1.1}, {"failures": -0.1}, {"offices": 0.6, "batteries": 0.6}])
def test_impossible_mix_is_refused(shares: dict[str, float]) -> None:
    with pytest.raises(ValueOutOfRange):
        Mix(**shares)
