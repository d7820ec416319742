# SPDX-License-Identifier: Apache-2.0
"""What is remembered of when a device checks in."""

from __future__ import annotations

import random
from collections.abc import Iterable

from hypothesis import given
from hypothesis import strategies as st

from ota_server.devices import store as devices
from ota_server.telemetry.habits import COUNT_MAX, HOUR_MS, NEW, SIZE, WEEK_H, Habit, note
from tests.ota_server.conftest import Server

HOURS = st.integers(0, 10**6)
TIMES = st.lists(st.integers(0, 40 * WEEK_H * HOUR_MS), min_size=1, max_size=60).map(sorted)


def after(times_ms: Iterable[int]) -> Habit:
    raw, before = None, None
    for at_ms in times_ms:
        raw, before = note(raw, before, at_ms), at_ms
    assert raw is not None
    return Habit.from_bytes(raw)


def hourly(hours: Iterable[int]) -> Habit:
    return after(hour * HOUR_MS + 60_000 for hour in hours)


@given(TIMES)
def test_habit_counts_as_one_that_looks_at_every_hour_does(times_ms: list[int]) -> None:
    heard = {at_ms // HOUR_MS for at_ms in times_ms}
    counts = dict.fromkeys(range(WEEK_H), 0)
    for hour in range(min(heard), max(heard) + 1):
        step = 1 if hour in heard else -1
        counts[hour % WEEK_H] = min(max(counts[hour % WEEK_H] + step, 0), COUNT_MAX)
    habit = after(times_ms)
    assert [habit.count(hour) for hour in range(WEEK_H)] == [counts[hour] for hour in range(WEEK_H)]
    assert habit.hours == max(heard) - min(heard) + 1


@given(TIMES)
def test_habit_survives_its_bytes_and_gives_likelihoods(times_ms: list[int]) -> None:
    habit = after(times_ms)
    assert len(habit.to_bytes()) == SIZE
    assert Habit.from_bytes(habit.to_bytes()) == habit
    assert all(0 < chance < 1 for chance in habit.chances())
    known = sorted((habit.count(hour), chance) for hour, chance in enumerate(habit.chances()) if habit.count(hour))
    assert [chance for _, chance in known] == sorted(chance for _, chance in known)


@given(HOURS, st.integers(0, HOUR_MS - 1), st.integers(0, HOUR_MS - 1))
def test_second_check_in_of_an_hour_and_a_clock_that_goes_back_change_nothing(hour: int, one: int, two: int) -> None:
    raw = NEW.heard(1, hour).to_bytes()
    assert note(raw, hour * HOUR_MS + one, hour * HOUR_MS + two) is raw
    assert note(raw, hour * HOUR_MS + one, hour * HOUR_MS + one - 10 * HOUR_MS) is raw


def test_office_that_sleeps_at_night_is_expected_by_day() -> None:
    habit = hourly(hour for hour in range(8 * WEEK_H) if 8 <= hour % 24 < 18)
    chances = habit.chances()
    assert min(chances[hour] for hour in range(WEEK_H) if 8 <= hour % 24 < 18) > 0.85
    assert max(chances[hour] for hour in range(WEEK_H) if not 8 <= hour % 24 < 18) < 0.08


def test_sensor_that_wakes_once_a_day_is_expected_once_a_day() -> None:
    chances = hourly(range(14, 8 * WEEK_H, 24)).chances()
    assert 6 < sum(chances) < 8
    assert all(chances[day * 24 + 14] > 0.8 for day in range(7))


def test_device_that_comes_at_any_hour_is_expected_as_often_as_it_came() -> None:
    draw = random.Random(1)
    chances = hourly(hour for hour in range(12 * WEEK_H) if draw.random() < 1 / 6).chances()
    assert 0.75 < sum(chances) / (WEEK_H / 6) < 1.25


def test_device_known_for_an_hour_is_expected_at_any_hour() -> None:
    assert sum(hourly([100]).chances()) > 0.9 * WEEK_H


def test_what_a_device_did_a_month_ago_is_forgotten() -> None:
    nights = [hour for hour in range(4 * WEEK_H) if hour % 24 < 6]
    days = [hour for hour in range(4 * WEEK_H, 8 * WEEK_H) if 8 <= hour % 24 < 18]
    chances = hourly([*nights, *days]).chances()
    assert max(chances[hour] for hour in range(WEEK_H) if hour % 24 < 6) < 0.1


def test_check_ins_of_a_device_make_its_habit(stocked: Server) -> None:
    device = stocked.device()
    first = stocked.clock.at_ms // HOUR_MS
    for _ in range(3):
        device.check_in()
        stocked.clock.advance_s(3600)
    with stocked.services.database.read() as connection:
        (stored,) = devices.with_id(connection, device.device_id.hex())
    assert stored.habit is not None
    habit = Habit.from_bytes(stored.habit)
    assert [habit.count(first + hour) for hour in range(-1, 4)] == [0, 1, 1, 1, 0]
