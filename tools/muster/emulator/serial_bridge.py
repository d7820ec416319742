# SPDX-License-Identifier: Apache-2.0
"""Bridges from a device's UARTs to pseudo terminals and TCP sockets, and the loop that keeps virtual time
beside wall time."""

from __future__ import annotations

import contextlib
import os
import select
import socket
import time
import tty
from typing import TYPE_CHECKING, Protocol

from muster.emulator.facts import RunReason

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from muster.emulator.device import Device

_SLICE_S = 0.005
_UNSENT_LIMIT = 4096
_OUT_LIMIT = 65536


class Endpoint(Protocol):
    """Where a UART's wires end on this computer. Nothing here ever blocks."""

    def filenos(self) -> list[int]:
        """Descriptors that become readable when bytes or a connection arrive."""
        ...

    def read(self) -> bytes:
        """Bytes for the device, at most a few KiB, b"" when there are none."""
        ...

    def write(self, data: bytes) -> None:
        """Bytes from the device. Like a wire, it loses what nobody takes."""
        ...

    def close(self) -> None:
        """Give the endpoint up."""
        ...


class _OutBuffer:
    """Bytes that the other side has not taken yet; the oldest go when there are too many."""

    def __init__(self) -> None:
        self._waiting = b""

    def push(self, fd: int, data: bytes) -> None:
        self._waiting = (self._waiting + data)[-_OUT_LIMIT:]
        if self._waiting:
            with contextlib.suppress(BlockingIOError):
                self._waiting = self._waiting[os.write(fd, self._waiting) :]

    def clear(self) -> None:
        self._waiting = b""


class PtyEndpoint:
    """A pseudo terminal in raw mode; `path` is what a terminal program opens."""

    def __init__(self, link: Path | None = None) -> None:
        """`link` is made a symbolic link to the terminal, in place of an older link. Raises OSError."""
        self._master, self._slave = os.openpty()
        tty.setraw(self._slave)
        os.set_blocking(self._master, False)
        self.path = os.ttyname(self._slave)
        self._out = _OutBuffer()
        self._link = link
        if link is not None:
            if link.is_symlink():
                link.unlink()
            link.symlink_to(self.path)

    def filenos(self) -> list[int]:
        return [self._master]

    def read(self) -> bytes:
        try:
            return os.read(self._master, _UNSENT_LIMIT)
        except BlockingIOError:
            return b""

    def write(self, data: bytes) -> None:
        self._out.push(self._master, data)

    def close(self) -> None:
        # The slave end stays open here as long as the master: programs may come and go at it.
        os.close(self._slave)
        os.close(self._master)
        if self._link is not None and self._link.is_symlink():
            self._link.unlink()


class SocketEndpoint:
    """A TCP port that takes one connection at a time; bytes sent while none is there are lost."""

    def __init__(self, port: int = 0, host: str = "127.0.0.1") -> None:
        """Port 0 lets the system choose; `port` then tells. Raises OSError."""
        self._listener = socket.create_server((host, port))
        self._listener.setblocking(False)
        self.port = int(self._listener.getsockname()[1])
        self._peer: socket.socket | None = None
        self._out = _OutBuffer()

    def filenos(self) -> list[int]:
        return [self._peer.fileno() if self._peer is not None else self._listener.fileno()]

    def read(self) -> bytes:
        if self._peer is None:
            try:
                self._peer, _ = self._listener.accept()
            except BlockingIOError:
                return b""
            self._peer.setblocking(False)
            self._out.clear()
        try:
            data = self._peer.recv(_UNSENT_LIMIT)
        except BlockingIOError:
            return b""
        except ConnectionError:
            data = b""
        if not data:
            self._hang_up()
        return data

    def _hang_up(self) -> None:
        if self._peer is not None:
            self._peer.close()
            self._peer = None

    def write(self, data: bytes) -> None:
        if self._peer is None:
            return
        try:
            self._out.push(self._peer.fileno(), data)
        except ConnectionError:
            self._hang_up()

    def close(self) -> None:
        self._hang_up()
        self._listener.close()


def _pump(device: Device, endpoints: Mapping[int, Endpoint]) -> None:
    for number, endpoint in endpoints.items():
        uart = device.uart(number)
        endpoint.write(uart.read())
        # What does not fit the line now stays with the sender, who blocks as on a real port.
        if uart.unsent < _UNSENT_LIMIT:
            uart.write(endpoint.read())


def serve(
    device: Device,
    endpoints: Mapping[int, Endpoint],
    *,
    speed: float = 1.0,
    stop: Callable[[], bool] = lambda: False,
) -> RunReason:
    """Run a powered device with UARTs joined to endpoints (by UART number) until `stop` says so.

    Virtual time never gets ahead of wall time times `speed`; 0 lets it go as fast as it can. A computer that
    is too slow falls behind; what it lost is not made up for by a rush later. Returns TIME when stopped,
    POWER_CUT or OFF when the device has no power any more.
    """
    wall, virtual = time.monotonic(), device.time
    while not stop():
        _pump(device, endpoints)
        behind = _SLICE_S
        if speed > 0:
            behind = (time.monotonic() - wall) * speed - (device.time - virtual)
        if behind > 1.0:
            wall, virtual = time.monotonic(), device.time
            behind = _SLICE_S
        if behind <= 0:
            watched = [
                fd for n, end in endpoints.items() if device.uart(n).unsent < _UNSENT_LIMIT for fd in end.filenos()
            ]
            select.select(watched, [], [], max(-behind / speed, 0.0005))
            behind = (time.monotonic() - wall) * speed - (device.time - virtual)
            if behind <= 0:
                continue
        reason = device.run(min(behind, _SLICE_S)).reason
        if reason in (RunReason.POWER_CUT, RunReason.OFF):
            _pump(device, endpoints)
            return reason
    return RunReason.TIME
