# SPDX-License-Identifier: Apache-2.0
"""A serial port of this computer."""

from __future__ import annotations

import os
import time
from types import TracebackType
from typing import Self

import serial

from muster.errors import EnvironmentFault

BAUD = 115_200


class PortTransport:
    """A SerialTransport on a serial port, a pty, or any URL that pyserial knows (`socket://host:port`).

    Raises EnvironmentFault when the port cannot be opened or goes away. A context manager.
    """

    def __init__(self, url: str, baud: int = BAUD) -> None:
        try:
            self._port = serial.serial_for_url(url, baudrate=baud, timeout=0)
        except (serial.SerialException, OSError, ValueError) as error:
            # The system's own words where there are any; pyserial wraps them twice.
            number = error.errno if isinstance(error, OSError) else None
            raise EnvironmentFault(f"cannot open {url}: {error if number is None else os.strerror(number)}") from error

    def read(self, timeout_s: float) -> bytes:
        """Waits until bytes are there and takes them; empty when none came in time."""
        try:
            self._port.timeout = timeout_s
            first: bytes = self._port.read(1)
            self._port.timeout = 0
            rest: bytes = self._port.read(self._port.in_waiting) if first else b""
        except (serial.SerialException, OSError) as error:
            raise EnvironmentFault(f"the serial port is gone: {error}") from error
        return first + rest

    def write(self, data: bytes) -> None:
        """Sends bytes."""
        try:
            self._port.write(data)
        except (serial.SerialException, OSError) as error:
            raise EnvironmentFault(f"the serial port is gone: {error}") from error

    def time_s(self) -> float:
        """Seconds of this computer's steady clock."""
        return time.monotonic()

    def close(self) -> None:
        self._port.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
