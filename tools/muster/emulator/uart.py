# SPDX-License-Identifier: Apache-2.0
"""The host's end of one UART's wires."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable


class Peer(Protocol):
    """Something at the other end that answers in virtual time."""

    def receive(self, data: bytes, time: float) -> bytes | None:
        """Take what the device sent (one byte at a time); what is returned goes to the device.

        `time` is when the last bit of the byte left. The answer's bytes arrive one after the other at the
        line's baud rate. Called while the device runs: it must not run the device itself.
        """
        ...


class _TextWatch:
    """Calls `found` when `text` has been sent."""

    def __init__(self, text: bytes, found: Callable[[], None]) -> None:
        self.text = text
        self.found = found
        self.tail = b""

    def feed(self, data: bytes) -> None:
        self.tail = (self.tail + data)[-len(self.text) :]
        if self.tail == self.text:
            self.found()


class Uart:
    """One UART seen from the host; made by Device.uart()."""

    def __init__(self, number: int, library: Any, handle: Any, ffi: Any) -> None:
        self.number = number
        self._library = library
        self._handle = handle
        self._ffi = ffi
        self._peer: Peer | None = None
        self._watches: list[_TextWatch] = []

    def write(self, data: bytes) -> None:
        """Send bytes to the device, after those that are still under way, at the line's baud rate.

        They are lost when the device is off, when its receiver is off or has no pin, and when it does not
        read its data register in time.
        """
        self._library.emu_uart_send(self._handle, self.number, data, len(data))

    def read(self) -> bytes:
        """All bytes the device has sent since the last read(); at most the newest MiB of them."""
        parts = []
        room = self._ffi.new("uint8_t[]", 4096)
        while got := self._library.emu_uart_read(self._handle, self.number, room, 4096):
            parts.append(bytes(self._ffi.buffer(room, got)))
        return b"".join(parts)

    @property
    def unsent(self) -> int:
        """Bytes written that have not arrived at the device yet."""
        return int(self._library.emu_uart_pending(self._handle, self.number))

    def set_baud(self, baud: int) -> None:
        """The host's baud rate, 115200 at first. More than 4 % off the device's own, bytes turn to garbage."""
        if not 50 <= baud <= 7_500_000:
            raise ValueError(f"baud rate {baud} is outside 50 to 7500000")
        self._library.emu_uart_set_baud(self._handle, self.number, baud)

    def attach(self, peer: Peer | None) -> None:
        """Let `peer` answer what the device sends from now on; None detaches it. read() sees the bytes too."""
        self._peer = peer
        self._update()

    def watch(self, text: bytes, found: Callable[[], None]) -> Callable[[], None]:
        """Call `found` whenever the device has sent `text`, beginning now. The answer ends the watch."""
        if not text:
            raise ValueError("the text to watch for is empty")
        watch = _TextWatch(text, found)
        self._watches.append(watch)
        self._update()

        def end() -> None:
            if watch in self._watches:
                self._watches.remove(watch)
                self._update()

        return end

    def disconnect(self, library: Any) -> None:
        """Use another library: the one that refuses everything once the device is closed. Device calls this."""
        self._library = library

    def _update(self) -> None:
        self._library.emu_uart_watch(self._handle, self.number, int(self._peer is not None or bool(self._watches)))

    def feed(self, data: bytes, time: float) -> None:
        """The device sent `data`: pass it on. Device calls this."""
        for watch in list(self._watches):
            watch.feed(data)
        if self._peer is not None:
            answer = self._peer.receive(data, time)
            if answer:
                self.write(answer)
