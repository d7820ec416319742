# SPDX-License-Identifier: Apache-2.0
"""When a rollout may offer: windows by the clock on the wall, limits, deadlines and consent."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ota_server.errors import Invalid
from ota_server.rollouts.schedule import POSTPONE_MAX_S, ComeBacks, Schedule, minute_end_ms
from ota_server.rollouts.windows import DAYS, MINUTE_MS, Window, opening_ms

ZONES = ("UTC", "Europe/Madrid", "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe", "Pacific/Apia")
NOON = int(datetime(2027, 1, 15, 12, tzinfo=UTC).timestamp() * 1000)
TIMES = st.integers(NOON - 400 * 24 * 3600 * 1000, NOON + 400 * 24 * 3600 * 1000)
CLOCKS = st.integers(0, 24 * 60 - 1).map(lambda minute: f"{minute // 60:02}:{minute % 60:02}")
WINDOWS = st.builds(
    lambda days, begin, end: {"days": days, "from": begin, "to": end},
    st.lists(st.sampled_from([day.value for day in DAYS]), min_size=1, unique=True),
    CLOCKS,
    st.one_of(CLOCKS, st.just("24:00")),
)
SCHEDULES = st.fixed_dictionaries(
    {},
    optional={
        "start_at": st.just("2027-01-01T00:00:00Z"),
        "windows": st.lists(WINDOWS, max_size=3),
        "time_zone": st.sampled_from([*ZONES, "device"]),
        "per_minute": st.integers(1, 10_000),
        "priority": st.sampled_from(["normal", "security"]),
        "deadline": st.datetimes(datetime(2027, 1, 2), datetime(2028, 1, 1)).map(lambda at: at.isoformat() + "Z"),
        "consent": st.integers(1, POSTPONE_MAX_S).map(lambda most: {"postpone_max_s": most}),
    },
)


def at(text: str, zone: str = "UTC") -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp() * 1000)


def schedule(**fields: object) -> Schedule:
    return Schedule.from_json(fields)


def opening(window: Mapping[str, object], zone: str, now: str) -> str:
    """The opening after a time of the zone, by the clock of the zone, with its offset from UTC."""
    opens_ms = schedule(windows=[window]).opening_ms(zone, at(now, zone))
    return datetime.fromtimestamp(opens_ms / 1000, ZoneInfo(zone)).strftime("%Y-%m-%d %H:%M %z")


NIGHT: dict[str, object] = {"from": "22:00", "to": "05:00"}


@pytest.mark.parametrize(
    ("now", "opens"),
    [
        ("2027-01-15 12:00", "2027-01-15 22:00 +0100"),
        ("2027-01-15 22:00", "2027-01-15 22:00 +0100"),
        ("2027-01-16 04:59", "2027-01-16 04:59 +0100"),
        ("2027-01-16 05:00", "2027-01-16 22:00 +0100"),
    ],
)
def test_window_over_midnight_is_open_on_both_sides_of_it(now: str, opens: str) -> None:
    assert opening(NIGHT, "Europe/Madrid", now) == opens


def test_window_that_crosses_midnight_belongs_to_the_day_on_which_it_begins() -> None:
    friday_night = {**NIGHT, "days": ["friday"]}
    assert opening(friday_night, "UTC", "2027-01-15 03:00") == "2027-01-15 22:00 +0000"  # a friday
    assert opening(friday_night, "UTC", "2027-01-16 03:00") == "2027-01-16 03:00 +0000"
    assert opening(friday_night, "UTC", "2027-01-16 05:00") == "2027-01-22 22:00 +0000"


def test_hour_that_is_skipped_opens_where_the_clock_is_set_and_a_window_inside_it_a_week_later() -> None:
    # On 28 March 2027 clocks in Madrid go from 02:00 to 03:00.
    assert opening({"from": "02:30", "to": "04:00"}, "Europe/Madrid", "2027-03-28 00:00") == "2027-03-28 03:00 +0200"
    inside = {"from": "02:10", "to": "02:50", "days": ["sunday"]}
    assert opening(inside, "Europe/Madrid", "2027-03-28 00:00") == "2027-04-04 02:10 +0200"


def test_hour_that_comes_twice_opens_twice() -> None:
    # On 31 October 2027 clocks in Madrid go from 03:00 back to 02:00.
    early = {"from": "02:10", "to": "02:50"}
    assert opening(early, "Europe/Madrid", "2027-10-31 00:00") == "2027-10-31 02:10 +0200"
    first_end = at("2027-10-31 00:50")
    opens_ms = schedule(windows=[early]).opening_ms("Europe/Madrid", first_end)
    assert opens_ms == at("2027-10-31 01:10")
    # One that ended before the clock was set is open again where the clock goes back into it.
    assert schedule(windows=[{"from": "01:00", "to": "02:30"}]).opening_ms("Europe/Madrid", first_end) == at(
        "2027-10-31 01:00"
    )


@settings(max_examples=150, deadline=None)
@given(st.lists(WINDOWS, min_size=1, max_size=3), st.sampled_from(ZONES), TIMES)
def test_opening_is_the_first_minute_from_now_on_that_the_clock_on_the_wall_shows_inside(
    windows: list[dict[str, object]], zone: str, now_ms: int
) -> None:
    parsed = schedule(windows=windows).windows
    opens_ms = opening_ms(parsed, zone, now_ms)
    assert opens_ms >= now_ms
    assert _is_open(parsed, zone, opens_ms)
    # Every quarter of an hour and the minute before the opening: closed.
    between = [*range(now_ms, opens_ms, 15 * MINUTE_MS), *([opens_ms - MINUTE_MS] if opens_ms > now_ms else [])]
    assert not any(_is_open(parsed, zone, moment) for moment in between if moment >= now_ms)


def _is_open(windows: tuple[Window, ...], zone: str, at_ms: int) -> bool:
    wall = (datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=at_ms)).astimezone(ZoneInfo(zone))
    return any(window.is_open(wall) for window in windows)


@given(SCHEDULES)
def test_what_is_parsed_is_printed_and_parsed_again(value: dict[str, object]) -> None:
    parsed = Schedule.from_json(value)
    assert Schedule.from_text(parsed.to_text()) == parsed
    assert all(sentence.endswith(".") for sentence in parsed.in_words())


@given(SCHEDULES, TIMES, st.integers(0, 10**10))
def test_nothing_holds_back_a_rollout_for_security_or_after_its_deadline(
    value: dict[str, object], now_ms: int, asked_before_ms: int
) -> None:
    parsed = Schedule.from_json(value)
    opens_ms = parsed.opening_ms("UTC", now_ms)
    consent_s = parsed.consent_s(now_ms - asked_before_ms, now_ms)
    assert now_ms <= opens_ms
    assert 0 <= consent_s <= (parsed.postpone_max_s or 0)
    if value.get("priority") == "security" or (parsed.deadline_ms is not None and parsed.deadline_ms <= now_ms):
        assert opens_ms == now_ms
        assert consent_s == 0
    if parsed.deadline_ms is not None and now_ms < parsed.deadline_ms:
        assert opens_ms <= parsed.deadline_ms
        assert now_ms + consent_s * 1000 <= parsed.deadline_ms


def test_consent_lasts_from_the_first_time_that_a_device_was_asked() -> None:
    consent = schedule(consent={"postpone_max_s": 100})
    assert consent.consent_s(NOON, NOON) == 100
    assert consent.consent_s(NOON, NOON + 60_000) == 40
    assert consent.consent_s(NOON, NOON + 100_000) == 0
    assert consent.consent_s(NOON + 60_000, NOON) == 100  # the clock went back
    assert schedule().consent_s(NOON, NOON) == 0


@pytest.mark.parametrize(
    ("value", "field"),
    [
        ([], "schedule"),
        ({"window": []}, "schedule"),
        ({"windows": {}}, "windows"),
        ({"windows": [NIGHT] * 22}, "windows"),
        ({"windows": [{"from": "22:00"}]}, "to"),
        ({"windows": [{"from": "24:00", "to": "05:00"}]}, "from"),
        ({"windows": [{"from": "2:00", "to": "05:00"}]}, "from"),
        ({"windows": [{**NIGHT, "days": ["sunday", "someday"]}]}, "windows"),
        ({"windows": [{**NIGHT, "until": 1}]}, "windows"),
        ({"time_zone": "Europe/../../etc/passwd"}, "time_zone"),
        ({"time_zone": 1}, "time_zone"),
        ({"per_minute": 0}, "per_minute"),
        ({"per_minute": True}, "per_minute"),
        ({"per_minute": 1_000_001}, "per_minute"),
        ({"priority": "high"}, "priority"),
        ({"start_at": "2027-01-15T22:00:00"}, "start_at"),
        ({"start_at": "soon"}, "start_at"),
        ({"start_at": "0001-01-01T00:00:00Z"}, "start_at"),
        ({"deadline": "9999-12-31T23:59:59-12:00"}, "deadline"),
        ({"start_at": "2027-01-15T22:00:00Z", "deadline": "2027-01-15T22:00:00Z"}, "deadline"),
        ({"consent": {}}, "consent"),
        ({"consent": {"postpone_max_s": POSTPONE_MAX_S + 1}}, "postpone_max_s"),
    ],
)
def test_what_is_not_legal_is_refused_with_its_field(value: object, field: str) -> None:
    with pytest.raises(Invalid) as caught:
        Schedule.from_json(value)
    assert caught.value.field == field


@given(st.integers(1, 1000), st.integers(1, 300), TIMES)
def test_devices_over_a_limit_come_back_no_faster_than_it_lets_them_in(
    per_minute: int, devices: int, now_ms: int
) -> None:
    comes = ComeBacks()
    waits = [comes.wait_s(1, per_minute, now_ms, 10**6) for _ in range(devices)]
    first_s = -(-(minute_end_ms(now_ms) - now_ms) // 1000)
    assert waits[0] == first_s
    assert waits == sorted(waits)
    for begin in range(first_s, waits[-1], 60):
        # A whole second holds what belongs to it and what was rounded up to it.
        assert sum(begin < wait <= begin + 60 for wait in waits) <= per_minute + -(-per_minute // 60) + 1


def test_device_that_comes_before_its_turn_anyway_is_told_nothing_longer() -> None:
    comes = ComeBacks()
    waits = [comes.wait_s(1, 1, NOON, 150) for _ in range(10)]
    assert waits == [60, 120, *[150] * 8]
    assert comes.wait_s(2, 1, NOON, 150) == 60  # another rollout
    assert comes.wait_s(1, 1, NOON - 10**9, 150) == 150  # the clock was set back
    assert comes.wait_s(1, 1, NOON - 10**9, 600) <= 210
