# SPDX-License-Identifier: Apache-2.0
"""A serial port of this computer in an event loop."""

from __future__ import annotations

import asyncio
import contextlib
import os

import serial

from muster.errors import EnvironmentFault
from muster.serial.port import BAUD

_READ_SIZE = 4096
_UNSENT_MAX = 16 * 1024


class PortGone(EnvironmentFault):
    """The port cannot be opened, or went away."""


class SerialLine:
    """A serial port, a pty, or a `socket://host:port`, opened by pyserial and then used without ever blocking.

    Every method raises PortGone when the port goes away.
    """

    def __init__(self, url: str) -> None:
        """Opens the port, for this process alone where the system can do that; this may block for seconds."""
        try:
            self._port = serial.serial_for_url(url, baudrate=BAUD, timeout=0, exclusive=True)
        except (serial.SerialException, OSError, ValueError) as error:
            raise PortGone(f"cannot open {url}: {_reason(error)}") from error
        try:
            self._fd = int(self._port.fileno())
        except (OSError, AttributeError) as error:  # io.UnsupportedOperation is an OSError
            self._port.close()
            raise PortGone(f"{url} is no port that can be waited for") from error
        os.set_blocking(self._fd, False)
        self._unsent = b""

    async def read(self) -> bytes:
        """Waits until bytes are there and takes them."""
        await self._readable()
        try:
            data = os.read(self._fd, _READ_SIZE)
        except BlockingIOError:
            return b""
        except OSError as error:
            raise PortGone(f"the port is gone: {_reason(error)}") from error
        if not data:
            raise PortGone("the port is gone: it was closed at the other end")
        return data

    def write(self, data: bytes) -> None:
        """Sends bytes as the port takes them. Like a wire, it loses what nobody takes."""
        # A frame that is cut short costs its receiver that frame only.
        self._unsent = (self._unsent + data)[:_UNSENT_MAX]
        self._flush()

    def close(self) -> None:
        loop = asyncio.get_running_loop()
        loop.remove_reader(self._fd)
        loop.remove_writer(self._fd)
        with contextlib.suppress(OSError):
            self._port.close()

    async def _readable(self) -> None:
        loop = asyncio.get_running_loop()
        ready: asyncio.Future[None] = loop.create_future()
        loop.add_reader(self._fd, _settle, ready)
        try:
            await ready
        finally:
            loop.remove_reader(self._fd)

    def _flush(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            if self._unsent:
                self._unsent = self._unsent[os.write(self._fd, self._unsent) :]
        except BlockingIOError:
            pass
        except OSError:
            self._unsent = b""  # reading says so, too, and there somebody waits
        if self._unsent:
            loop.add_writer(self._fd, self._flush)
        else:
            loop.remove_writer(self._fd)


def _settle(ready: asyncio.Future[None]) -> None:
    if not ready.done():
        ready.set_result(None)


def _reason(error: Exception) -> str:
    # pyserial puts port, number and text of the system's error into its own text.
    number = error.errno if isinstance(error, OSError) else None
    return os.strerror(number) if number is not None else str(error)
