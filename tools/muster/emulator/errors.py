# SPDX-License-Identifier: Apache-2.0
"""Errors of the emulator.

MusterError
+-- EmulatorError
    +-- EmulatorUnavailable   this computer lacks Unicorn or a C compiler
    +-- FlashFileError        a flash file that is in use, or no flash file
    +-- OutsideMemory         an address range that is not flash, RAM, OTP or option bytes
    +-- EmulatorFailure       a bug in the emulator or in Unicorn, never in the program it runs
"""

from __future__ import annotations

from muster.errors import MusterError


class EmulatorError(MusterError):
    """Root of what the emulator raises. What the emulated program does wrong is never an exception."""


class EmulatorUnavailable(EmulatorError):
    """This computer lacks Unicorn or a C compiler; the message says what to install."""


class FlashFileError(EmulatorError):
    """The flash file is in use by another device, belongs to another unique id, or is something else."""


class OutsideMemory(EmulatorError):
    """An address range lies outside flash, RAM, OTP and option bytes."""


class EmulatorFailure(EmulatorError):
    """A bug in the emulator or in Unicorn, never in the program it runs."""
