# SPDX-License-Identifier: Apache-2.0
"""Which state keys a device must send (docs/spec/device_protocol.md section 3.1)."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace

from muster.protocol.report import Report


@dataclass(frozen=True, slots=True)
class DeviceState:
    """How a device is: the state keys 1 to 9 of a report, which see."""

    identity: bytes
    product_version: int
    slot: int
    hardware_revision: int
    security_counter: int
    boot_state: int
    bootloader_version: int
    keyset_version: int
    interval_s: int


STATE_NAMES = tuple(item.name for item in fields(DeviceState))


@dataclass(slots=True)
class StateMemory:
    """What the server is known to know.

    A key is left out only when the last answered message left the server with its present value and no message since
    then, answered or not, carried the key: one that was lost on its way back may still have been counted.
    """

    _answered: DeviceState | None = None
    _sent: DeviceState | None = None
    _unsure: set[str] = field(default_factory=set)

    def fill(self, report: Report, state: DeviceState) -> Report:
        """The report with the state keys that must be sent now; the caller then sends it."""
        answered = self._answered
        if answered is not None:
            self._unsure |= {name for name in STATE_NAMES if getattr(state, name) != getattr(answered, name)}
        names = STATE_NAMES if answered is None else sorted(self._unsure)
        self._sent = state
        return replace(report, **{name: getattr(state, name) for name in names})

    def take_answer(self) -> None:
        """The message that was filled last has been answered."""
        self._answered = self._sent
        self._unsure.clear()
