# SPDX-License-Identifier: Apache-2.0
"""One emulated STM32F205RG: 1 MiB of flash, 128 KiB of RAM, and a clock of its own."""

from __future__ import annotations

import hashlib
import heapq
import itertools
from typing import TYPE_CHECKING, Any

from muster.emulator.errors import EmulatorFailure, FlashFileError, OutsideMemory
from muster.emulator.facts import (
    Board,
    Counters,
    CutMode,
    Fault,
    ResetCause,
    RunReason,
    RunResult,
    Violation,
    ViolationKind,
)
from muster.emulator.library import load
from muster.emulator.pin import Pin, pin_number
from muster.emulator.uart import Uart

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from types import TracebackType
    from typing import Self

    from intelhex import IntelHex

PS_PER_S = 1_000_000_000_000
FLASH_BASE = 0x08000000
FLASH_SIZE = 0x100000
# One call into the native part lasts at most this long, so that Ctrl-C gets through.
_SLICE_PS = PS_PER_S // 4
_INTERNAL = 5


class Snapshot:
    """A copy of a whole device at one moment; made by Device.snapshot(). It may be restored any number of times."""

    def __init__(self, native: Any) -> None:
        self._native = native

    @property
    def native(self) -> Any:
        """The native copy."""
        return self._native


class _Closed:
    """Stands where the library was: the handle points nowhere any more."""

    def __getattr__(self, name: str) -> Any:
        raise ValueError("the device is closed")


class Device:
    """One STM32F205RG with its board, off at first.

    Time is virtual: it passes only in run() and run_until(), from 0 when the object is made, and the same
    seed and inputs give the same run to the instruction. Use it as a context manager or call close().
    """

    def __init__(
        self,
        flash_file: Path | None = None,
        *,
        unique_id: bytes | None = None,
        seed: int = 0,
        board: Board | None = None,
    ) -> None:
        """Make a device whose flash, OTP and option bytes live in `flash_file`, or in memory when None.

        A new file is made with erased flash; one that exists goes on as it is. `unique_id` is 12 bytes; None
        takes the file's, or for new flash one drawn from `seed`. `seed` also decides random numbers, RAM after
        power-on and what torn flash operations leave.

        Raises FlashFileError for a file that is in use, has another unique id or is no flash file;
        EmulatorUnavailable when Unicorn or a C compiler is missing; ValueError for a bad unique id.
        """
        if unique_id is not None and len(unique_id) != 12:
            raise ValueError(f"a unique id has 12 bytes, not {len(unique_id)}")
        board = board or Board()
        ffi, library = load()
        self._ffi, self._library = ffi, library
        config = ffi.new("struct emu_config *")
        drawn = hashlib.sha256(f"unique id {seed}".encode()).digest()[:12]
        config.unique_id = list(drawn if unique_id is None else unique_id)
        config.seed = seed & 0xFFFFFFFFFFFFFFFF
        config.hse_hz, config.lse, config.battery = board.hse_hz, int(board.lse), int(board.battery)
        error = ffi.new("char[]", 512)
        path = ffi.NULL if flash_file is None else ffi.new("char[]", bytes(str(flash_file), "utf-8"))
        handle = library.emu_create(path, config, int(unique_id is None), error, 512)
        if handle == ffi.NULL:
            raise FlashFileError(ffi.string(error).decode("utf-8", "replace") or "out of memory")
        self._handle = ffi.gc(handle, library.emu_destroy)
        self._uarts = {n: Uart(n, library, self._handle, ffi) for n in range(1, 7)}
        self._pins: dict[tuple[int, int], Pin] = {}
        self._timers: list[tuple[int, int, Callable[[], None]]] = []
        self._timer_order = itertools.count()
        self._raised: BaseException | None = None
        self._running = False
        self._uart_callback = ffi.callback("void(void *, int, uint8_t, uint64_t)", self._on_uart)
        self._pin_callback = ffi.callback("void(void *, int, int, int, uint64_t)", self._on_pin)
        library.emu_set_uart_callback(self._handle, self._uart_callback, ffi.NULL)
        library.emu_set_pin_callback(self._handle, self._pin_callback, ffi.NULL)

    def close(self) -> None:
        """Give up the device and its flash file. Afterwards everything but close() raises ValueError."""
        self._must_stand_still()
        self._ffi.release(self._handle)
        self._library = closed = _Closed()
        for uart in self._uarts.values():
            uart.disconnect(closed)
        for pin in self._pins.values():
            pin.disconnect(closed)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # Power and reset

    def power_on(self) -> None:
        """Give power: RAM holds noise, the reset flags say power-on, and the next run() starts the CPU."""
        self._library.emu_power_on(self._handle)

    def power_off(self) -> None:
        """Take power away between two instructions. Cuts armed for an operation or a time are dropped."""
        self._library.emu_power_off(self._handle)

    def reset_pin(self) -> None:
        """Pull NRST low for a moment."""
        self._library.emu_reset_pin(self._handle)

    @property
    def powered(self) -> bool:
        """Whether the device has power."""
        return bool(self._library.emu_is_powered(self._handle))

    def cut_power_at_flash_operation(self, n: int, mode: CutMode = CutMode.CLEAN) -> None:
        """Cut power at the n-th flash operation from now (1: the next one); 0 disarms."""
        if n < 0:
            raise ValueError("the number of a flash operation is 0 or more")
        self._library.emu_cut_at_operation(self._handle, n, int(mode))

    def cut_power_at(self, time: float) -> None:
        """Cut power at this virtual time. A flash operation then running is left torn."""
        self._library.emu_cut_at_time(self._handle, round(time * PS_PER_S))

    def cut_power_on_text(self, text: str | bytes, uart: int = 1) -> None:
        """Cut power when the device has sent `text`, once."""
        raw = text.encode() if isinstance(text, str) else text

        def found() -> None:
            end()
            self.cut_power_now()

        end = self._uarts[uart].watch(raw, found)

    def cut_power_now(self) -> None:
        """Cut power at this moment; made for callbacks (a pin's, a peer's). The run then ends with POWER_CUT."""
        self._library.emu_cut_now(self._handle)

    # Running

    @property
    def time(self) -> float:
        """Virtual seconds since the device was made. It stands still while the device is off."""
        return float(self._library.emu_time(self._handle)) / PS_PER_S

    def run(self, seconds: float) -> RunResult:
        """Let virtual time pass. Ends early only by a power cut or stop()."""
        return self._run(self._after(seconds))

    def run_until(
        self,
        condition: str | bytes | Callable[[], bool],
        timeout: float,
        *,
        uart: int = 1,
        poll: float = 0.001,
    ) -> RunResult:
        """Run until the device has sent a text, or a function says true; reason CONDITION, else TIME and others.

        A text counts when it is sent by `uart` from now on; the run ends with its last bit. A function is asked
        at once and every `poll` virtual seconds.
        """
        until = self._after(timeout)
        if isinstance(condition, (str, bytes)):
            raw = condition.encode() if isinstance(condition, str) else condition
            end = self._uarts[uart].watch(raw, self.stop)
            try:
                return self._run(until)
            finally:
                end()
        first_fault = self.counters.faults
        step = max(1, round(poll * PS_PER_S))
        while not condition():
            now = self._now_ps()
            result = self._run(min(now + step, until))
            if result.reason not in (RunReason.TIME, RunReason.LOCKUP) or self._now_ps() >= until:
                return RunResult(result.reason, result.time, self._fault_since(first_fault))
        return RunResult(RunReason.CONDITION, self.time, self._fault_since(first_fault))

    def stop(self) -> None:
        """End the run; made for callbacks."""
        self._library.emu_stop(self._handle)

    def call_at(self, time: float, call: Callable[[], None]) -> None:
        """Call a function at this virtual time of a run: a peer's timeout, for one. It may write to UARTs."""
        heapq.heappush(self._timers, (round(time * PS_PER_S), next(self._timer_order), call))

    def _must_stand_still(self) -> None:
        if self._running:
            raise RuntimeError("the device runs: callbacks must not run, copy or restore it")

    def _now_ps(self) -> int:
        return int(self._library.emu_time(self._handle))

    def _after(self, seconds: float) -> int:
        if not 0 <= seconds < 1e7:
            raise ValueError(f"{seconds} is no number of seconds to run for")
        return self._now_ps() + round(seconds * PS_PER_S)

    def _run(self, until: int) -> RunResult:
        self._must_stand_still()
        first_fault = self.counters.faults
        self._running = True
        try:
            reason = self._run_slices(until)
        finally:
            self._running = False
        return RunResult(RunReason(reason), self.time, self._fault_since(first_fault))

    def _run_slices(self, until: int) -> int:
        while True:
            now = self._now_ps()
            while self._timers and self._timers[0][0] <= now:
                heapq.heappop(self._timers)[2]()
            target = min(until, now + _SLICE_PS)
            if self._timers:
                target = min(target, max(self._timers[0][0], now))
            reason = int(self._library.emu_run(self._handle, target))
            if self._raised is not None:
                raised, self._raised = self._raised, None
                raise raised
            if reason == _INTERNAL:
                raise EmulatorFailure(self._ffi.string(self._library.emu_error(self._handle)).decode())
            if reason not in (RunReason.TIME, RunReason.LOCKUP) or self._now_ps() >= until:
                return reason

    def _fault_since(self, count: int) -> Fault | None:
        return self.faults[-1] if self.counters.faults > count else None

    def _on_uart(self, _ctx: Any, uart: int, byte: int, time_ps: int) -> None:
        try:
            self._uarts[uart].feed(bytes((byte,)), time_ps / PS_PER_S)
        except BaseException as error:  # it must cross the C frames; _run_slices() raises it again
            self._raised = error
            self.stop()

    def _on_pin(self, _ctx: Any, port: int, pin: int, level: int, time_ps: int) -> None:
        try:
            self._pins[port, pin].feed(bool(level), time_ps / PS_PER_S)
        except BaseException as error:  # as above
            self._raised = error
            self.stop()

    # Wires

    def uart(self, number: int) -> Uart:
        """The host's end of USART1-3, UART4-5 or USART6. Raises KeyError for another number."""
        return self._uarts[number]

    def pin(self, name: str) -> Pin:
        """A pin by name: "A13" or "PA13". Raises ValueError for a name that is none."""
        number = pin_number(name)
        if number not in self._pins:
            self._pins[number] = Pin(name, self._library, self._handle)
        return self._pins[number]

    # Memory, as a debug probe sees it: no rule of the flash controller applies

    def load_hex(self, source: Path | IntelHex) -> None:
        """Write an Intel HEX file or object into flash; addresses it does not name keep their content.

        Raises OutsideMemory when it names an address that is not flash, OTP or option bytes.
        """
        from intelhex import IntelHex

        image = source if isinstance(source, IntelHex) else IntelHex(str(source))
        for start, end in image.segments():
            self.write_memory(start, image.tobinstr(start=start, size=end - start))

    def erase_flash(self) -> None:
        """Set all of main flash to 0xFF."""
        self.write_memory(FLASH_BASE, b"\xff" * FLASH_SIZE)

    def flash_bytes(self, addr: int, length: int) -> bytes:
        """Bytes of flash at an absolute address (0x08000000 upwards). Raises OutsideMemory."""
        if not FLASH_BASE <= addr <= addr + length <= FLASH_BASE + FLASH_SIZE:
            raise OutsideMemory(f"0x{addr:08x}+{length} is not in flash")
        return self.read_memory(addr, length)

    def read_memory(self, addr: int, length: int) -> bytes:
        """Bytes of flash, RAM, the system page (OTP, ids) or option bytes. Raises OutsideMemory."""
        room = self._ffi.new("uint8_t[]", max(length, 1))
        if not 0 <= addr < 1 << 32 or self._library.emu_memory_read(self._handle, addr, room, length):
            raise OutsideMemory(f"0x{addr:08x}+{length} is not in one memory")
        return bytes(self._ffi.buffer(room, length))

    def write_memory(self, addr: int, data: bytes) -> None:
        """Overwrite flash, RAM, the system page or option bytes from outside. Raises OutsideMemory."""
        if not 0 <= addr < 1 << 32 or self._library.emu_memory_write(self._handle, addr, data, len(data)):
            raise OutsideMemory(f"0x{addr:08x}+{len(data)} is not in one memory")

    # Facts

    @property
    def unique_id(self) -> bytes:
        """The 12 bytes at 0x1FFF7A10."""
        room = self._ffi.new("uint8_t[12]")
        self._library.emu_unique_id(self._handle, room)
        return bytes(self._ffi.buffer(room))

    @property
    def counters(self) -> Counters:
        """What happened so far."""
        raw = self._ffi.new("struct emu_counters *")
        self._library.emu_get_counters(self._handle, raw)
        return Counters(
            resets={cause: int(raw.resets[cause]) for cause in ResetCause},
            boots=int(raw.boots),
            erases=int(raw.erases),
            programs=int(raw.programs),
            erases_since_power_on=int(raw.erases_since_power_on),
            programs_since_power_on=int(raw.programs_since_power_on),
            instructions=int(raw.instructions),
            cuts=int(raw.cuts),
            faults=int(raw.faults),
            overruns=int(raw.overruns),
            violations=int(raw.violations),
        )

    @property
    def faults(self) -> list[Fault]:
        """The last faults, at most 8, oldest first."""
        raw = self._ffi.new("struct emu_fault[8]")
        count = int(self._library.emu_get_faults(self._handle, raw, 8))
        return [
            Fault(
                time=float(f.time_ps) / PS_PER_S,
                exception=int(f.exception),
                lockup=bool(f.lockup),
                cfsr=int(f.cfsr),
                hfsr=int(f.hfsr),
                mmfar=int(f.mmfar),
                bfar=int(f.bfar),
                registers=tuple(f.regs),
                stack=tuple(f.stack)[: f.stack_words],
            )
            for f in (raw[i] for i in range(count))
        ]

    @property
    def violations(self) -> list[Violation]:
        """What a board would not have done; the first 32. An honest program leaves this empty."""
        raw = self._ffi.new("struct emu_violation[32]")
        count = int(self._library.emu_get_violations(self._handle, raw, 32))
        return [
            Violation(float(v.time_ps) / PS_PER_S, ViolationKind(v.kind), int(v.a), int(v.b))
            for v in (raw[i] for i in range(count))
        ]

    @property
    def registers(self) -> tuple[int, ...]:
        """r0 to r12, sp, lr, pc, xpsr: 17 words."""
        raw = self._ffi.new("uint32_t[17]")
        self._library.emu_get_registers(self._handle, raw)
        return tuple(raw)

    @property
    def hclk_hz(self) -> int:
        """The CPU's clock at this moment."""
        return int(self._library.emu_hclk_hz(self._handle))

    # Snapshots

    def snapshot(self) -> Snapshot:
        """Copy the whole device: CPU, RAM, flash, peripherals, time, counters, bytes on the wires.

        Peers, watches, timers and armed cuts belong to the host and are not part of it.
        """
        self._must_stand_still()
        native = self._library.emu_snapshot_take(self._handle)
        if native == self._ffi.NULL:
            raise MemoryError
        return Snapshot(self._ffi.gc(native, self._library.emu_snapshot_free))

    def restore(self, snapshot: Snapshot) -> None:
        """Make this device what it was, or what another device was. No cut is armed afterwards."""
        self._must_stand_still()
        if self._library.emu_snapshot_restore(self._handle, snapshot.native):
            raise MemoryError
