# SPDX-License-Identifier: Apache-2.0
"""The chip layer on boards that are not as they should be, and over a long time."""

from __future__ import annotations

import pytest

from muster.emulator import Board as Surroundings
from muster.emulator import Device, ResetCause
from muster.serial import Link, VirtualTransport
from tests.conftest import BuildFirmware

FULL_SPEED_HZ = 120_000_000


def booted(built: BuildFirmware, surroundings: Surroundings) -> tuple[Device, Link]:
    made = built("blink", "photon")
    device = Device(board=surroundings)
    device.load_hex(made.folder / f"{made.product}.hex")
    device.power_on()
    return device, Link(VirtualTransport(device))


@pytest.mark.parametrize("hse_hz", [26_000_000, 0])
def test_chip_runs_at_full_speed_with_and_without_its_crystal(built: BuildFirmware, hse_hz: int) -> None:
    device, link = booted(built, Surroundings(hse_hz=hse_hz))
    with device:
        assert link.info().version == 1
        assert device.hclk_hz == FULL_SPEED_HZ
        assert device.violations == []


def test_quiet_product_is_fed_to_the_watchdog_and_keeps_time(built: BuildFirmware) -> None:
    device, link = booted(built, Surroundings())
    with device:
        first = link.info().uptime_ms
        before = device.time
        device.run(120.0)
        passed_ms = (device.time - before) * 1000
        assert link.info().uptime_ms - first == pytest.approx(passed_ms, abs=100)
        assert device.counters.resets[ResetCause.IWDG] == 0
        assert device.counters.boots == 1


def test_led_blinks_twice_in_two_seconds(built: BuildFirmware) -> None:
    device, link = booted(built, Surroundings())
    with device:
        link.info()
        pin = device.pin("PA13")
        changes = 0
        level = pin.level
        for _ in range(200):
            device.run(0.01)
            changes += pin.level != level
            level = pin.level
        assert changes == 4


def test_restart_is_told_as_a_software_reset(built: BuildFirmware) -> None:
    device, link = booted(built, Surroundings())
    with device:
        assert link.info().reset.name == "POWER"
        link.restart()
        assert link.info().reset.name == "SOFTWARE"
        assert device.counters.resets[ResetCause.SOFTWARE] == 1
        device.reset_pin()
        assert link.info().reset.name == "POWER"


def test_host_that_shouts_costs_bytes_but_not_the_device(built: BuildFirmware) -> None:
    device, link = booted(built, Surroundings())
    with device:
        link.info()
        device.uart(1).set_baud(38_400)
        device.uart(1).write(b"\x55\x00" * 500)
        device.run(1.0)
        device.uart(1).set_baud(115_200)
        info = link.info()
        assert info.link_errors > 0
        assert device.counters.boots == 1
