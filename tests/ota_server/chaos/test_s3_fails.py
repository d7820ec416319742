# SPDX-License-Identifier: Apache-2.0
"""A bucket that answers every other request with 500, and one that answers none: nothing is lost, all goes on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from ota_server.check import check
from ota_server.storage import s3
from tests.ota_server import keys
from tests.ota_server.conftest import HandClock, Server, make_settings, run_server
from tests.ota_server.s3 import S3Server
from tests.ota_server.simulated import Refused, SimulatedDevice

UNAVAILABLE = 503


@pytest.fixture
def server(s3_server: S3Server, tmp_path: Path, clock: HandClock, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """Its bucket gives up soon, so that more of what fails is seen by those who asked."""
    monkeypatch.setattr(s3, "TRIES_MAX", 1)
    monkeypatch.setattr(s3, "FIRST_PAUSE", timedelta(milliseconds=1))
    settings = replace(make_settings(tmp_path / "server"), bucket=s3_server.bucket())
    yield from run_server(settings, clock)
    s3_server.failing = 0


def publish(server: Server, version: int) -> int:
    """How often the server said that it cannot now."""
    headers = {"authorization": f"Bearer {server.token}"}
    files = {"file": ("firmware.bin", keys.image(version).raw)}
    for refused in range(100):
        response = server.client.post(f"/v1/products/{keys.PRODUCT}/firmware", headers=headers, files=files)
        if response.status_code == 201:
            return refused
        assert response.status_code == UNAVAILABLE
    raise AssertionError("never published")


def update(server: Server, device: SimulatedDevice) -> int:
    """Updates a device; how often the server said that it cannot now. Devices get 503 and come again."""
    refused = 0
    for _ in range(200):
        try:
            device.update()
        except Refused as refusal:
            if refusal.status != UNAVAILABLE:
                raise
            refused += 1
        if device.running.manifest.product_version == 2 and not device.trial and device.outcome is None:
            return refused
        # Patches that could not be kept are put off for a time.
        server.clock.advance_s(60)
        server.services.jobs.patcher.work_off()
    raise AssertionError("never updated")


def test_rollout_goes_through_a_bucket_that_fails_every_other_time(
    server: Server, s3_server: S3Server, caplog: pytest.LogCaptureFixture
) -> None:
    server.product()
    s3_server.failing = 0.5
    refused = publish(server, 1) + publish(server, 2)
    devices = [server.device(number) for number in range(3)]
    rollout = server.rollout(2, {"percent": 100, "gate": {"min_confirmed": len(devices)}})
    refused += sum(update(server, device) for device in devices)
    s3_server.failing = 0
    assert refused
    assert "a blob cannot be" in caplog.text
    assert server.show(rollout)["rollout"]["status"] == "completed"
    services = server.services
    with services.database.read() as connection:
        assert check(connection, services.jobs.kept, services.jobs.served, reads_blobs=True) == []
