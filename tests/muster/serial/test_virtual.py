# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

from muster.errors import DeviceError
from muster.serial import VirtualTransport


class Uart:
    def __init__(self) -> None:
        self.to_device: list[bytes] = []
        self.from_device = b""

    def read(self) -> bytes:
        data, self.from_device = self.from_device, b""
        return data

    def write(self, data: bytes) -> None:
        self.to_device.append(data)


class Device:
    """Time passes as asked; `powered` goes when a test takes it."""

    def __init__(self) -> None:
        self.time = 5.0
        self.powered = True
        self.waits: list[tuple[bytes, float, int]] = []
        self.uarts = {3: Uart()}

    def power_on(self) -> None:
        self.powered = True

    def run_until(self, condition: bytes, timeout: float, *, uart: int) -> None:
        self.waits.append((condition, timeout, uart))
        self.time += timeout

    def uart(self, number: int) -> Uart:
        return self.uarts[number]


@pytest.fixture
def device() -> Device:
    return Device()


def test_reading_runs_the_device_to_the_next_delimiter(device: Device) -> None:
    transport = VirtualTransport(device, 3)
    device.uarts[3].from_device = b"text"
    assert transport.read(0.5) == b"text"
    assert device.waits == [(b"\x00", 0.5, 3)]
    assert transport.time_s() == 5.5


def test_time_passes_at_every_read(device: Device) -> None:
    transport = VirtualTransport(device, 3)
    transport.read(0.0)
    transport.read(1e-13)
    assert device.time > 5.0


def test_nothing_is_written_when_there_is_nothing_to_send(device: Device) -> None:
    transport = VirtualTransport(device, 3)
    transport.write(b"")
    transport.write(b"data")
    assert device.uarts[3].to_device == [b"data"]


def test_power_returns_at_the_next_read(device: Device) -> None:
    transport = VirtualTransport(device, 3)
    device.powered = False
    transport.read(0.1)
    assert device.powered
    assert transport.power_cuts == 1
    transport.read(0.1)
    assert transport.power_cuts == 1


def test_device_that_stays_off_is_an_error(device: Device) -> None:
    transport = VirtualTransport(device, 3, power_returns=False)
    transport.read(0.1)
    device.powered = False
    with pytest.raises(DeviceError):
        transport.read(0.1)
    assert transport.power_cuts == 0
