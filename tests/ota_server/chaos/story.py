# SPDX-License-Identifier: Apache-2.0
"""A fleet that is updated again and again while its server is failing, and what must be true of it afterwards."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field

import httpx
from sqlalchemy import Connection, select

from muster.protocol import MessageFormatError, SessionRefused
from ota_server.devices.models import devices
from ota_server.releases.store import LEASE_MS
from ota_server.rollouts.models import outcomes
from ota_server.telemetry.models import logs
from tests.ota_server import keys
from tests.ota_server.chaos.process import Service
from tests.ota_server.simulated import Lost, Refused, SimulatedDevice
from tests.waiting import wait_until

DEVICES = 3
PATIENCE = 2
"""Refusals after which there is space on the disk again."""
PATH = f"/v1/products/{keys.PRODUCT}"


@dataclass
class Fleet:
    """Some devices, and a release manager with an access token."""

    server: Service
    token: str
    rng: random.Random
    devices: list[SimulatedDevice] = field(default_factory=list)
    version: int = 1
    rollout: int = 0
    lines: int = 0
    refusals: int = 0
    """How often the server said that it cannot: 503."""

    def __post_init__(self) -> None:
        for number in range(DEVICES):
            key, device_id = keys.key(f"device {number}"), bytes([number + 1]) * 12
            self.devices.append(SimulatedDevice(self.server.post, self.server.get, device_id, key, keys.image(1)))

    def ask(self, method: str, path: str, **arguments: object) -> httpx.Response | None:
        """As the release manager; None when no answer came, or that the server cannot do it now."""
        try:
            response = self.server.request(method, path, headers={"authorization": f"Bearer {self.token}"}, **arguments)
        except Lost:
            return None
        if response.status_code == httpx.codes.SERVICE_UNAVAILABLE:
            self._refused()
            return None
        assert response.status_code < 500, response.text
        return response

    def insist(self, work: Callable[[], bool]) -> None:
        """Does something until it is seen to be done."""
        for _ in range(50):
            if work():
                return
        raise AssertionError(f"not done in 50 tries:\n{self.server.log.read_text()[-2000:]}")

    def begin(self) -> None:
        """Makes the product with its first version."""
        product = {"id": keys.PRODUCT, "name": "Thermostat", "auto_approve": True, "check_in_interval_s": 300}
        self.insist(lambda: self._is_kept("POST", "/v1/products", json={"product": product}))
        self.insist(lambda: self._publish(1))

    def release(self) -> None:
        """Publishes the next version and starts its rollout: one confirmed boot ends its first stage."""
        self.version += 1
        self.insist(lambda: self._publish(self.version))
        # Of so few devices a smaller share may be none.
        stages = [
            {"percent": 99, "gate": {"min_confirmed": 1}},
            {"percent": 100, "gate": {"min_confirmed": len(self.devices)}},
        ]
        plan = {"version": self.version, "name": f"to {self.version}", "stages": stages}
        self.insist(lambda: self._find() or self._is_kept("POST", f"{PATH}/rollouts", json=plan))
        self.insist(self._find)
        self.insist(
            lambda: self._status() == "running" or self._is_kept("POST", f"{PATH}/rollouts/{self.rollout}/start")
        )

    def step(self, device: SimulatedDevice | None = None) -> SimulatedDevice:
        """A device, or some that is not done, does the next thing that it has to do."""
        device = device or self.rng.choice([one for one in self.devices if not self._is_done(one)] or self.devices)
        if len(device.unsent_logs) < 3:
            self.lines += 1
            device.log(f"line {self.lines}")
        try:
            if device.offer is not None and device.stopped is None:
                device.fetch(self.rng.choice([100, None]))
            elif device.staged is not None:
                device.boot_staged()
            else:
                device.check_in()
        except Refused as refused:
            if refused.status != httpx.codes.SERVICE_UNAVAILABLE:
                raise
            self._refused()
        except (Lost, SessionRefused, MessageFormatError):
            pass
        return device

    def is_updated(self) -> bool:
        """Whether every device runs the newest version and has said so."""
        return all(map(self._is_done, self.devices))

    def finish(self) -> None:
        """Goes on without faults until everything is told and done."""
        # Patches that were being made in killed processes are those processes' for a time.
        self.server.faults.pass_time(LEASE_MS // 1000)
        wait_until(self._has_gone_on)
        for device in self.devices:
            while device.unsent_logs or device.outcome:
                device.check_in()
        assert self.is_updated(), self.server.log.read_text()[-3000:]
        assert self._status() == "completed"

    def assert_kept(self, connection: Connection) -> None:
        """Everything that was acknowledged is there once, and nothing else."""
        lines = list(connection.execute(select(logs.c.text).order_by(logs.c.text)).scalars())
        assert lines == sorted(f"line {number + 1}" for number in range(self.lines))
        query = select(devices.c.device_id, outcomes.c.attempt).join_from(outcomes, devices)
        told = sorted((row[0], row[1]) for row in connection.execute(query))
        assert told == sorted(
            (device.device_id.hex(), number) for device in self.devices for number in device.confirmed
        )

    def _has_gone_on(self) -> bool:
        """Whether all are updated; they go on until one of them has nothing to do: its patch is being made."""
        while not self.is_updated():
            device = self.step()
            if device.offer is None and device.staged is None:
                return False
        return True

    def _is_done(self, device: SimulatedDevice) -> bool:
        return device.running.manifest.product_version == self.version and not (device.trial or device.outcome)

    def _refused(self) -> None:
        """After some refusals somebody makes space on the disk."""
        self.refusals += 1
        if self.refusals % PATIENCE == 0:
            self.server.faults.disarm()

    def _publish(self, version: int) -> bool:
        image = keys.image(version).raw
        return self._is_kept("POST", f"{PATH}/firmware", files={"file": ("firmware.bin", image)})

    def _is_kept(self, method: str, path: str, **arguments: object) -> bool:
        """Done now, or before an answer got lost."""
        response = self.ask(method, path, **arguments)
        assert response is None or response.status_code in (200, 201, 409), response.text
        return response is not None

    def _find(self) -> bool:
        response = self.ask("GET", f"{PATH}/rollouts")
        if response is None:
            return False
        found = [rollout["id"] for rollout in response.json()["rollouts"] if rollout["version"] == self.version]
        assert len(found) <= 1, "nobody makes a second one before he has looked"
        if found:
            self.rollout = found[0]
        return bool(found)

    def _status(self) -> str | None:
        response = self.ask("GET", f"{PATH}/rollouts/{self.rollout}")
        return None if response is None else response.json()["rollout"]["status"]
