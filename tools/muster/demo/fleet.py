# SPDX-License-Identifier: Apache-2.0
"""Emulated boards, each on a pseudo terminal as if it were plugged in, in a time of their own."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from types import TracebackType
from typing import Self

from muster import layout
from muster.device import hexfile
from muster.device.bootlog import BootLog, RecordType
from muster.device.identity_page import IdentityPage
from muster.emulator import CutMode, Device, RunReason
from muster.emulator.serial_bridge import PtyEndpoint
from muster.errors import MusterError
from muster.image.image import Image
from muster.layout import Lifecycle, Slot
from muster.serial import Frame, FrameReader
from muster.serial.messages import MessageType
from muster.signing.keys import PrivateKey
from muster.signing.keyset import KeySet, RootKeys

_CONSOLE = 1
"""The UART that carries the serial link."""
_SLICE_S = 0.02
"""Virtual time between two looks at the pseudo terminals; messages wait for so long at most."""
_RUSH_S = 0.2
"""A computer that is too slow makes up for at most so much virtual time at once."""
_UNSENT_MAX = 4096
_POWER_IS_OFF_S = 0.3
"""Real time from a power cut until power is back."""
_WORDS_INTO_THE_SLOT = 2000
"""Flash operations after the first erase at which the power is cut: in the midst of writing the slot."""
_TRIAL_TEXT = ", on trial"
_QUESTIONS = (MessageType.OPEN, MessageType.CHECK_IN, MessageType.FETCH)


class FleetCut(StrEnum):
    """When the power of a board is cut."""

    FLASH = "while it writes flash"
    TRIAL = "during its trial boot"


@dataclass(frozen=True, slots=True)
class BoardPlan:
    """A board to be made.

    Attributes:
        name: for people, such as `photon-1`.
        seed: decides unique id and random numbers.
        bootloader: of its platform.
        image: the release-signed image that it runs at first.
        roots, keyset: which keys it believes.
        key: the device key.
        cut: when its power is cut, once; None for never.
    """

    name: str
    seed: int
    bootloader: bytes
    image: Image
    roots: RootKeys
    keyset: KeySet
    key: PrivateKey
    cut: FleetCut | None


class Board:
    """One emulated board with a production identity of its own, on a pseudo terminal.

    Attributes:
        device_id: the chip's unique id, 24 hex digits.
        path: of the terminal.
    """

    def __init__(self, plan: BoardPlan, say: Callable[[str], None]) -> None:
        """Makes and provisions it; it is off. `say` gets a line when its power is cut. Raises OSError, MusterError."""
        self.plan = plan
        self._say = say
        self._device = Device(seed=plan.seed)
        self._cut = plan.cut
        self._power_back_at = 0.0
        self._frames = FrameReader()
        self._is_waiting = False
        try:
            self._provision()
            self._terminal = PtyEndpoint()
        except BaseException:
            self._device.close()
            raise
        self.device_id = self._device.unique_id.hex()
        self.path = self._terminal.path

    def close(self) -> None:
        self._terminal.close()
        self._device.close()

    def power_on(self) -> None:
        """Gives it power for the first time."""
        self._device.power_on()
        if self._cut is FleetCut.TRIAL:
            self._device.cut_power_on_text(_TRIAL_TEXT, _CONSOLE)

    def advance(self, seconds: float, speed: float) -> None:
        """Lets real seconds pass, and bytes between the board and its terminal; gives power back after a cut.

        The board's own time goes `speed` times as fast, but while it waits for an answer: server and gateway live in
        real time, and the board's patience is measured for that.
        """
        if not self._device.powered:
            self._terminal.read()  # nobody hears it
            if time.monotonic() >= self._power_back_at:
                self._device.power_on()
            return
        uart = self._device.uart(_CONSOLE)
        if uart.unsent < _UNSENT_MAX:
            received = self._terminal.read()
            self._is_waiting = self._is_waiting and not received
            uart.write(received)
        reason = self._device.run(seconds if self._is_waiting else seconds * speed).reason
        sent = uart.read()
        self._terminal.write(sent)
        self._is_waiting = self._is_waiting or self._asks(sent)
        if reason is RunReason.POWER_CUT:
            self._power_back_at = time.monotonic() + _POWER_IS_OFF_S
            self._is_waiting = False
            self._say(f"{self.plan.name}: its power was cut {self.plan.cut}")
        elif self._cut is FleetCut.FLASH and self._device.counters.erases:
            self._device.cut_power_at_flash_operation(_WORDS_INTO_THE_SLOT, CutMode.TORN)
            self._cut = None

    def _asks(self, sent: bytes) -> bool:
        items = self._frames.feed(sent)
        return any(isinstance(item, Frame) and item.type in _QUESTIONS for item in items)

    # What a debug probe sees

    def runs(self, image: Image) -> bool:
        """Whether the newest confirmed image is this one, byte for byte in its slot."""
        log = self._log()
        confirmed = [record for record in log.records if record.type is RecordType.CONFIRMED]
        if not confirmed or confirmed[-1].identity != image.manifest.identity_prefix:
            return False
        slot = Slot(confirmed[-1].slot)
        return Image.from_slot(self._device.flash_bytes(slot.addr, layout.SLOT_SIZE), slot).raw == image.raw

    @property
    def reverts(self) -> int:
        """Attempts that ended with the old image."""
        return sum(record.type in (RecordType.REJECTED, RecordType.INTERRUPTED) for record in self._log().records)

    @property
    def boots(self) -> int:
        """Starts of the CPU, the first one included."""
        return self._device.counters.boots

    @property
    def cuts(self) -> int:
        """How often its power was cut."""
        return self._device.counters.cuts

    def _log(self) -> BootLog:
        first, second = (
            self._device.flash_bytes(layout.SECTOR_ADDRS[number], layout.SECTOR_SIZES[number])
            for number in layout.LOG_SECTORS
        )
        return BootLog.from_sectors(first, second)

    def _provision(self) -> None:
        """As in a factory: a production identity for this very chip, and everything else by one HEX file."""
        plan, manifest = self.plan, self.plan.image.manifest
        identity = IdentityPage(
            product_id=manifest.product_id,
            hardware_revision=manifest.hardware_lowest,
            lifecycle=Lifecycle.PRODUCTION,
            roots=plan.roots,
            device_id=self._device.unique_id,
            device_key=plan.key,
        )
        whole = hexfile.board_hex(plan.bootloader, plan.image, identity, plan.keyset)
        for segment in hexfile.segments_of(whole):
            self._device.write_memory(segment.addr, segment.data)
        # What an earlier image has left in the other slot, so that there is something to erase.
        self._device.write_memory(Slot.B.addr, plan.image.installed_in(Slot.B))


class Fleet:
    """Boards that run in a thread of their own until they are stopped. A context manager.

    Virtual time goes `speed` times as fast as real time, or slower where the computer is too slow.
    """

    def __init__(self, plans: Sequence[BoardPlan], say: Callable[[str], None]) -> None:
        """Makes the boards; they are off. Raises OSError when no pseudo terminal can be had, MusterError."""
        self.boards: list[Board] = []
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._error: MusterError | None = None
        try:
            for plan in plans:
                self.boards.append(Board(plan, say))
        except BaseException:
            self.close()
            raise

    def power_on(self) -> None:
        """Gives all boards power; they run once start() was called."""
        for board in self.boards:
            board.power_on()

    def start(self, speed: float) -> None:
        """Lets the boards run."""
        self._stop.clear()
        self._thread = threading.Thread(target=self._run, args=(speed,), name="fleet", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Freezes the boards; start() lets them go on. Raises what check() raises."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        self.check()

    def check(self) -> None:
        """Raises the MusterError that has ended the thread, if there is one."""
        if self._error is not None:
            raise self._error

    def close(self) -> None:
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        for board in self.boards:
            board.close()
        self.boards.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _run(self, speed: float) -> None:
        try:
            last = time.monotonic()
            while not self._stop.wait(max(0.0, last + _SLICE_S / speed - time.monotonic())):
                now = time.monotonic()
                left_s = min(now - last, _RUSH_S / speed)
                last = now
                while left_s > 0:
                    for board in self.boards:
                        board.advance(min(left_s, _SLICE_S / speed), speed)
                    left_s -= _SLICE_S / speed
        except MusterError as error:
            self._error = error
