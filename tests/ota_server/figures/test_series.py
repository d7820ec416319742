# SPDX-License-Identifier: Apache-2.0
"""What is said of figures: now, a week ago, and the week between."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from ota_server.figures.models import Hour
from ota_server.figures.series import DAY, WEEK, coming, standing

NOW = 500_000
EMPTY = Hour(NOW, 0, 0, 0, 0, "{}", 0, 0, 0, 0, 0)


def online(hour: int, number: int) -> Hour:
    return replace(EMPTY, hour=hour, online=number)


def events(hour: int, number: int) -> Hour:
    return replace(EMPTY, hour=hour, events=number)


def test_standing_figure_is_compared_with_the_same_hour_a_week_ago() -> None:
    trend = standing(10, [online(NOW - WEEK, 7), online(NOW - 1, 8), online(NOW, 9)], lambda one: one.online, NOW)
    assert (trend.now, trend.before, trend.change) == (10, 7, 3)


def test_hour_in_which_no_server_ran_is_stood_in_for_by_one_of_the_day_before_it() -> None:
    trend = standing(10, [online(NOW - WEEK - 3, 7)], lambda one: one.online, NOW)
    assert trend.before == 7
    trend = standing(10, [online(NOW - WEEK - DAY, 7)], lambda one: one.online, NOW)
    assert trend.before is None
    assert trend.change is None


def test_what_comes_is_summed_over_a_day() -> None:
    hours = [events(NOW - WEEK - DAY, 100), events(NOW - WEEK, 1), events(NOW - DAY, 100), events(NOW - DAY + 1, 2)]
    trend = coming([*hours, events(NOW, 3)], lambda one: one.events, NOW)
    assert (trend.now, trend.before) == (5, 1)


@given(st.dictionaries(st.integers(NOW - 2 * WEEK, NOW), st.integers(0, 10**6)))
def test_week_holds_its_hours_in_order_and_gaps_stay_gaps(noted: dict[int, int]) -> None:
    hours = [online(hour, number) for hour, number in sorted(noted.items())]
    points = standing(3, hours, lambda one: one.online, NOW).points
    assert points == [*((hour, noted[hour]) for hour in sorted(noted) if NOW - WEEK <= hour < NOW), (NOW, 3)]
