# SPDX-License-Identifier: Apache-2.0
"""What `muster emulate` does: a device whose serial port any terminal program can open."""

from __future__ import annotations

from typing import TYPE_CHECKING

from muster.emulator.facts import ResetCause
from muster.emulator.serial_bridge import PtyEndpoint, serve

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from muster.emulator.device import Device
    from muster.emulator.facts import RunReason


class EventTeller:
    """Tells of each reset and each fault of a device, in one line, when it is asked to look."""

    def __init__(self, device: Device, say: Callable[[str], None]) -> None:
        self._device = device
        self._say = say
        self._resets = device.counters.resets
        self._faults = device.counters.faults

    def look(self) -> None:
        """Says what has happened since the last look."""
        counters = self._device.counters
        if fresh := counters.faults - self._faults:
            for fault in self._device.faults[-fresh:]:
                self._say(f"{fault.time:.3f} s: {fault}")
            self._faults = counters.faults
        for cause in ResetCause:
            if counters.resets[cause] > self._resets[cause]:
                self._say(f"{self._device.time:.3f} s: reset ({cause.name.lower().replace('_', ' ')})")
        self._resets = counters.resets


def serve_on_pty(
    device: Device,
    *,
    ready: Callable[[str], None],
    uart: int = 1,
    speed: float = 1.0,
    link: Path | None = None,
    stop: Callable[[], bool] = lambda: False,
    say: Callable[[str], None] = lambda _: None,
) -> RunReason:
    """Give the device power and serve one UART on a pseudo terminal until `stop` says so or power is cut.

    `ready` gets the terminal's path before the first instruction runs. `speed` and the answer are as in
    serial_bridge.serve(); `link` as in PtyEndpoint. `say` gets a line for each reset and each fault. A CPU that is
    locked up stays so until a watchdog resets it. Raises OSError when no pseudo terminal can be had.
    """
    endpoint = PtyEndpoint(link)
    teller = EventTeller(device, say)

    def look_and_stop() -> bool:
        teller.look()
        return stop()

    try:
        ready(endpoint.path)
        device.power_on()
        return serve(device, {uart: endpoint}, speed=speed, stop=look_and_stop)
    finally:
        endpoint.close()
