# SPDX-License-Identifier: Apache-2.0
"""A device that goes on checking in while Particle's tools work."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import httpx

from muster.protocol import VariableType
from tests.ota_server import keys
from tests.ota_server.conftest import CBOR
from tests.ota_server.simulated import SimulatedDevice


@contextmanager
def living_lamp(url: str, device_id: bytes = bytes(12), publishes: str = "") -> Iterator[SimulatedDevice]:
    """`publishes`: the name of an event that it publishes again and again."""
    with httpx.Client(base_url=url, timeout=60) as http:

        def post(path: str, body: bytes) -> tuple[int, bytes]:
            response = http.post(path, content=body, headers=CBOR)
            return response.status_code, response.content

        device = SimulatedDevice(post, lambda *_: None, device_id, keys.key(f"lamp {device_id.hex()}"), keys.image(1))
        device.functions = {"set": len}
        device.variables = {"level": (VariableType.DOUBLE, 0.5)}
        device.check_in()
        is_over = threading.Event()

        def live() -> None:
            while not is_over.is_set():
                if publishes and not device.unsent_events:
                    device.publish(publishes, "21.5")
                device.check_in(hold_s=1)

        thread = threading.Thread(target=live)
        thread.start()
        try:
            yield device
        finally:
            is_over.set()
            thread.join()
