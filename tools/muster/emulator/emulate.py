# SPDX-License-Identifier: Apache-2.0
"""What `muster emulate` does: a device whose serial port any terminal program can open."""
from __future__ import annotations

from typing import TYPE_CHECKING

from muster.emulator.serial_bridge import PtyEndpoint, serve

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from muster.emulator.device import Device
    from muster.emulator.facts import RunReason


def serve_on_pty(
    device: Device,
    *,
    ready: Callable[[str], None],
    uart: int = 1,
    speed: float = 1.0,
    link: Path | None = None,
    stop: Callable[[], bool] = lambda: False,
) -> RunReason:
    """Give the device power and serve one UART on a pseudo terminal until `stop` says so or power is cut.

    `ready` gets the terminal's path before the first instruction runs. `speed` and the answer are as in
    serial_bridge.serve(); `link` as in PtyEndpoint. Raises OSError when no pseudo terminal can be had.
    """
    endpoint = PtyEndpoint(link)
    try:
        ready(endpoint.path)
        device.power_on()
        return serve(device, {uart: endpoint}, speed=speed, stop=stop)
    finally:
        endpoint.close()
