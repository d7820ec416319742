# SPDX-License-Identifier: Apache-2.0
"""The parts of the example thermostat that know no device."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.firmware.compiled import FIRMWARE, Compiled, compile_firmware

_FOLDER = FIRMWARE / "products" / "thermostat"
_CORE = FIRMWARE / "core" / "include"
DAY = 24 * 60
WEEK = 7 * DAY
BUSY_DAY = "mo 06:30 21.5, mo 08:00 17, mo 16:45 21, su 23:59 5.25"


def compile_thermostat(folder: Path, controller: str) -> Compiled:
    sources = [_FOLDER / name for name in ("number.c", "room.c", "schedule.c", controller)]
    headers = [_FOLDER / name for name in ("number.h", "room.h", "schedule.h", "controller.h")]
    return compile_firmware(folder, sources, headers, [_FOLDER, _CORE])


@pytest.fixture(scope="module")
def thermostat(tmp_path_factory: pytest.TempPathFactory) -> Compiled:
    return compile_thermostat(tmp_path_factory.mktemp("thermostat"), "controller.c")


@pytest.fixture(scope="module")
def version_1(tmp_path_factory: pytest.TempPathFactory) -> Compiled:
    return compile_thermostat(tmp_path_factory.mktemp("version_1"), "v1/controller.c")


def parsed(thermostat: Compiled, text: str) -> list[tuple[int, int]] | None:
    schedule = thermostat.ffi.new("struct schedule *")
    if not thermostat.lib.schedule_parse(schedule, text.encode()):
        return None
    return [(point.minute, point.target_cc) for point in schedule.points[0 : schedule.count]]


def test_schedule_is_read(thermostat: Compiled) -> None:
    assert parsed(thermostat, BUSY_DAY) == [(390, 2150), (480, 1700), (1005, 2100), (WEEK - 1, 525)]
    assert parsed(thermostat, "  tu 00:00 20 ") == [(DAY, 2000)]
    assert parsed(thermostat, "") == []


@pytest.mark.parametrize(
    "text",
    [
        "xx 06:30 21",
        "mo 24:00 21",
        "mo 06:60 21",
        "mo 0630 21",
        "mo 06:30",
        "mo 06:30 hot",
        "mo 06:30 4.99",
        "mo 06:30 35.01",
        "mo 06:30 100",
        "mo 06:30 21.555",
        "mo 06:30 21 mo 07:30 20",
        "mo 06:30 21, mo 06:30 22",
        "tu 06:30 21, mo 06:30 22",
        "mo 06:30 21;",
        ", ".join(f"mo 00:{minute:02} 20" for minute in range(29)),
    ],
)
def test_schedule_that_is_none_is_refused(thermostat: Compiled, text: str) -> None:
    assert parsed(thermostat, text) is None


@given(st.binary(max_size=60).filter(lambda raw: 0 not in raw))
def test_any_text_is_a_schedule_or_refused(thermostat: Compiled, raw: bytes) -> None:
    points = parsed(thermostat, raw.decode("latin-1"))
    if points is not None:
        assert all(0 <= minute < WEEK and 500 <= target <= 3500 for minute, target in points)


@pytest.mark.parametrize(
    ("minute", "target"),
    [(0, 525), (389, 525), (390, 2150), (479, 2150), (480, 1700), (1005, 2100), (WEEK - 2, 2100), (WEEK - 1, 525)],
)
def test_last_point_rules_until_the_next_and_over_the_end_of_the_week(
    thermostat: Compiled, minute: int, target: int
) -> None:
    schedule = thermostat.ffi.new("struct schedule *")
    value = thermostat.ffi.new("int32_t *")
    assert thermostat.lib.schedule_parse(schedule, BUSY_DAY.encode())
    assert thermostat.lib.schedule_target(schedule, minute, value)
    assert value[0] == target


def test_without_points_no_target_rules(thermostat: Compiled) -> None:
    schedule = thermostat.ffi.new("struct schedule *")
    assert not thermostat.lib.schedule_target(schedule, 0, thermostat.ffi.new("int32_t *"))


def test_schedule_survives_its_bytes(thermostat: Compiled) -> None:
    ffi, lib = thermostat.ffi, thermostat.lib
    schedule = ffi.new("struct schedule *")
    lib.schedule_parse(schedule, BUSY_DAY.encode())
    raw = ffi.new("uint8_t[]", lib.SCHEDULE_BYTES_MAX)
    length = lib.schedule_to_bytes(schedule, raw)
    again = ffi.new("struct schedule *")
    assert lib.schedule_from_bytes(again, raw, length)
    assert bytes(ffi.buffer(again)) == bytes(ffi.buffer(schedule))


@given(st.binary(max_size=130))
def test_stored_bytes_are_not_believed(thermostat: Compiled, raw: bytes) -> None:
    schedule = thermostat.ffi.new("struct schedule *")
    if thermostat.lib.schedule_from_bytes(schedule, raw, len(raw)):
        minutes = [point.minute for point in schedule.points[0 : schedule.count]]
        assert minutes == sorted(set(minutes))
        assert len(minutes) == len(raw) // 4


def run_house(compiled: Compiled, seconds: int, target_cc: int) -> tuple[list[int], list[int]]:
    """The air of every second in hundredths of a degree, and the seconds at which the heating switched."""
    ffi, lib = compiled.ffi, compiled.lib
    room, controller = ffi.new("struct room *"), ffi.new("struct controller *")
    lib.room_start(room, 18_500)
    lib.controller_start(controller)
    air, switched = [], []
    is_heating = False
    for second in range(seconds):
        lib.room_advance(room, 1000, 0, is_heating)
        air.append(room.air_mc // 10)
        before, is_heating = is_heating, lib.controller_update(controller, air[-1], target_cc, second * 1000)
        if is_heating != before:
            switched.append(second)
    return air, switched


def test_house_gets_warm_and_stays_so(thermostat: Compiled) -> None:
    air, switched = run_house(thermostat, 7200, 2100)
    assert max(air) < 2400
    assert min(air[3600:]) > 2000
    assert len(switched) > 2


def test_cold_house_without_heating_gets_colder(thermostat: Compiled) -> None:
    air, switched = run_house(thermostat, 3600, 500)
    assert switched == []
    assert air[-1] < air[0]


def test_burner_runs_and_rests_for_its_least_times(thermostat: Compiled) -> None:
    _, switched = run_house(thermostat, 7200, 2100)
    runs = [off - on for on, off in zip(switched[::2], switched[1::2], strict=False)]
    rests = [on - off for off, on in zip(switched[1::2], switched[2::2], strict=False)]
    assert min(runs) >= 20
    assert min(rests) >= 15


def test_version_1_switches_at_the_set_point_itself(version_1: Compiled) -> None:
    controller = version_1.ffi.new("struct controller *")
    version_1.lib.controller_start(controller)
    air = [2099, 2100, 2099, 2101]
    assert [version_1.lib.controller_update(controller, value, 2100, 0) for value in air] == [True, False, True, False]


def test_version_2_keeps_its_state_near_the_set_point(thermostat: Compiled) -> None:
    controller = thermostat.ffi.new("struct controller *")
    thermostat.lib.controller_start(controller)
    steps = [(2090, 0), (2079, 0), (2100, 30_000), (2120, 60_000), (2121, 90_000), (2100, 120_000)]
    found = [thermostat.lib.controller_update(controller, air, 2100, now) for air, now in steps]
    assert found == [False, True, True, True, False, False]
