# SPDX-License-Identifier: Apache-2.0
"""An emulated device as the other end of the link, in virtual time."""

from __future__ import annotations

from typing import Protocol

from muster.errors import DeviceError
from muster.status import OtaStatus

_DELIMITER = b"\x00"
_SHORTEST_S = 1e-6
"""Time must pass at every read: what is left of a timeout may be less than the clock of a float resolves."""


class VirtualUart(Protocol):
    """The host's end of an emulated UART."""

    def read(self) -> bytes: ...

    def write(self, data: bytes) -> None: ...


class VirtualDevice(Protocol):
    """What is needed of `muster.emulator.Device`."""

    @property
    def time(self) -> float: ...

    @property
    def powered(self) -> bool: ...

    def power_on(self) -> None: ...

    def run_until(self, condition: bytes, timeout: float, *, uart: int) -> object: ...

    def uart(self, number: int) -> VirtualUart: ...


class VirtualTransport:
    """A SerialTransport that lets the device run while it waits.

    A device that a power cut has turned off is turned on again at the next read, unless `power_returns` is False:
    then reading raises DeviceError, because no time passes while the device is off.

    Attributes:
        power_cuts: how often it was turned on again.
    """

    def __init__(self, device: VirtualDevice, uart: int = 1, *, power_returns: bool = True) -> None:
        self.power_cuts = 0
        self._device = device
        self._number = uart
        self._uart = device.uart(uart)
        self._power_returns = power_returns

    def read(self, timeout_s: float) -> bytes:
        """Runs until a delimiter comes, the time has passed or the power fails; what was sent until then."""
        if not self._device.powered:
            if not self._power_returns:
                raise DeviceError("the device is off", OtaStatus.ERR_TIMEOUT)
            self.power_cuts += 1
            self._device.power_on()
        self._device.run_until(_DELIMITER, max(timeout_s, _SHORTEST_S), uart=self._number)
        return self._uart.read()

    def write(self, data: bytes) -> None:
        """Puts bytes on the line; they are lost while the device is off."""
        if data:
            self._uart.write(data)

    def time_s(self) -> float:
        """The device's virtual time."""
        return self._device.time
