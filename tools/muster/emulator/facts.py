# SPDX-License-Identifier: Apache-2.0
"""What a device is made of and what it tells: plain values, times in virtual seconds."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, IntEnum


class RunReason(IntEnum):
    """Why a run ended."""

    TIME = 0
    """The time has passed."""
    CONDITION = 1
    """What run_until() waited for is there, or stop() was called."""
    POWER_CUT = 2
    """An armed power cut struck; the device is off."""
    OFF = 3
    """The device is off; no time passes."""
    LOCKUP = 4
    """The time has passed, and the CPU is locked up: a watchdog, the reset pin or power gets it out."""


class CutMode(IntEnum):
    """What a power cut leaves of the flash operation it strikes."""

    CLEAN = 0
    """The operation does not happen."""
    TORN = 1
    """Program: some of the bits that should clear did. Erase: words erased, as before, and in between."""


class ResetCause(IntEnum):
    """What reset the device."""

    POWER_ON = 0
    PIN = 1
    SOFTWARE = 2
    IWDG = 3
    WWDG = 4


class ViolationKind(Enum):
    """What a board would not do, or not do reliably, and the program asked for."""

    FLASH_LATENCY = 0
    """Too few wait states. a: wait states set, b: HCLK in Hz."""
    HCLK_RANGE = 1
    """HCLK above 120 MHz. a: HCLK in Hz."""
    APB1_RANGE = 2
    """PCLK1 above 30 MHz. a: PCLK1 in Hz."""
    APB2_RANGE = 3
    """PCLK2 above 60 MHz. a: PCLK2 in Hz."""
    PLL_RANGE = 4
    """a: VCO input in Hz (0.95 to 2.1 MHz is legal), b: VCO output in Hz (192 to 432 MHz)."""
    UART_PIN = 5
    """A UART sent a byte and no pin carries its TX. a: UART number."""
    UART_OVERWRITE = 6
    """DR was written while TXE was 0; a byte is lost. a: UART number."""


@dataclass(frozen=True, slots=True)
class Board:
    """What surrounds the chip."""

    hse_hz: int = 26_000_000
    """The crystal, in Hz; 0: it is missing or broken, and HSERDY never comes."""
    lse: bool = True
    """A 32.768 kHz crystal is fitted."""
    battery: bool = False
    """VBAT has a supply of its own, so backup registers survive a power cut. Photon, P1: they do not."""


@dataclass(frozen=True, slots=True)
class Counters:
    """Totals since the device was made, unless said otherwise."""

    resets: dict[ResetCause, int]
    boots: int
    """Times the CPU started from its reset vector."""
    erases: int
    """Erase operations begun (sector, whole chip, option bytes)."""
    programs: int
    """Program operations begun."""
    erases_since_power_on: int
    programs_since_power_on: int
    instructions: int
    cuts: int
    """Power cuts that struck (a plain power_off() is none)."""
    faults: int
    """Fault exceptions taken, and lockups."""
    overruns: int
    """Bytes lost because the device had not read the one before."""
    violations: int

    @property
    def flash_operations(self) -> int:
        """Erase and program operations begun."""
        return self.erases + self.programs


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault exception or lockup: the fault registers and the CPU when it arose."""

    time: float
    exception: int
    """3 HardFault, 4 MemManage, 5 BusFault, 6 UsageFault."""
    lockup: bool
    """The fault could not be taken (the CPU was in HardFault or NMI already, or there is no vector)."""
    cfsr: int
    hfsr: int
    mmfar: int
    bfar: int
    registers: tuple[int, ...]
    """r0 to r12, sp, lr, pc, xpsr: 17 words."""
    stack: tuple[int, ...]
    """Up to 16 words from sp upwards, as many as lie in RAM."""

    @property
    def pc(self) -> int:
        """Address of the faulting instruction."""
        return self.registers[15]

    def __str__(self) -> str:
        names = {3: "HardFault", 4: "MemManage", 5: "BusFault", 6: "UsageFault"}
        head = "lockup" if self.lockup else names.get(self.exception, f"exception {self.exception}")
        words = " ".join(f"{word:08x}" for word in self.stack)
        return (
            f"{head} at pc {self.pc:08x} lr {self.registers[14]:08x} sp {self.registers[13]:08x} "
            f"cfsr {self.cfsr:08x} hfsr {self.hfsr:08x} mmfar {self.mmfar:08x} bfar {self.bfar:08x} stack {words}"
        )


@dataclass(frozen=True, slots=True)
class Violation:
    """One ViolationKind with its two numbers. Each kind is reported once between two resets."""

    time: float
    kind: ViolationKind
    a: int
    b: int


@dataclass(frozen=True, slots=True)
class RunResult:
    """How a run ended."""

    reason: RunReason
    time: float
    """Virtual time at the end."""
    fault: Fault | None
    """The last fault taken during this run, or None."""
