# SPDX-License-Identifier: Apache-2.0
"""An emulated STM32F205RG that runs the real ARM binaries, on Unicorn; see docs/emulator.md."""

from __future__ import annotations

from muster.emulator.device import Device, Snapshot
from muster.emulator.errors import (
    EmulatorError,
    EmulatorFailure,
    EmulatorUnavailable,
    FlashFileError,
    OutsideMemory,
)
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
from muster.emulator.pin import Pin
from muster.emulator.uart import Peer, Uart

__all__ = [
    "Board",
    "Counters",
    "CutMode",
    "Device",
    "EmulatorError",
    "EmulatorFailure",
    "EmulatorUnavailable",
    "Fault",
    "FlashFileError",
    "OutsideMemory",
    "Peer",
    "Pin",
    "ResetCause",
    "RunReason",
    "RunResult",
    "Snapshot",
    "Uart",
    "Violation",
    "ViolationKind",
]
