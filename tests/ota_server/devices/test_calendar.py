# SPDX-License-Identifier: Apache-2.0
"""No second has more devices than it may; nobody is told to come before they would."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from ota_server.devices.calendar import SPAN_S, Calendar

START_S = 1_800_000_000


def test_devices_that_fit_are_left_alone() -> None:
    calendar = Calendar(2)
    assert [calendar.place(START_S, wait_s) for wait_s in (60, 60, 61, 59)] == [60, 60, 61, 59]
    assert calendar.delayed == 0


def test_those_that_do_not_get_the_next_second_with_room() -> None:
    calendar = Calendar(2)
    assert [calendar.place(START_S, 60) for _ in range(6)] == [60, 60, 61, 61, 62, 62]
    assert calendar.place(START_S + 1, 59) == 62
    assert calendar.delayed == 5


@given(st.integers(1, 3), st.lists(st.tuples(st.integers(0, 5), st.integers(0, 100)), max_size=200))
def test_no_second_has_too_many_and_no_room_is_left_before(per_s: int, visits: list[tuple[int, int]]) -> None:
    calendar, booked, now_s = Calendar(per_s), Counter[int](), START_S
    for passed_s, wait_s in visits:
        now_s += passed_s
        told = calendar.place(now_s, wait_s)
        assert told >= wait_s
        assert all(booked[second] >= per_s for second in range(now_s + wait_s, now_s + told))
        booked[now_s + told] += 1
    assert all(count <= per_s for count in booked.values())


def test_beyond_its_span_it_says_the_end_of_it_or_what_the_device_would_do() -> None:
    calendar = Calendar(1)
    told = [calendar.place(START_S, 0) for _ in range(SPAN_S + 10)]
    assert told[-10:] == [SPAN_S] * 10
    assert calendar.place(START_S, 7 * SPAN_S) == 7 * SPAN_S


@given(st.lists(st.integers(-(10**9), 10**9), max_size=20))
def test_a_clock_that_jumps_does_no_harm(jumps: list[int]) -> None:
    calendar, now_s = Calendar(1), START_S
    for jump_s in jumps:
        now_s = max(0, now_s + jump_s)
        assert 10 <= calendar.place(now_s, 10) <= 11
