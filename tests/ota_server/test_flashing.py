# SPDX-License-Identifier: Apache-2.0
"""Devices for development are flashed with an image of their own."""

from __future__ import annotations

from typing import Any

import pytest

from muster.image.image import Image
from tests.ota_server import keys
from tests.ota_server.conftest import Server
from tests.ota_server.simulated import SimulatedDevice

PATH = f"/products/{keys.PRODUCT}"


def path_of(device: SimulatedDevice) -> str:
    return f"{PATH}/devices/{device.device_id.hex()}"


@pytest.fixture
def bench(stocked: Server) -> Server:
    """Device 1 is for development, device 2 is not; both run version 1."""
    for number in (1, 2):
        stocked.device(number).check_in()
    stocked.api("PUT", path_of(stocked.devices[0]), json={"development": True})
    return stocked


def flash(server: Server, device: SimulatedDevice, image: Image, expect: int = 200, path: str = "") -> Any:
    files = {"file": ("/home/ana/build/firmware.bin", image.raw)}
    form = {"file_type": "binary", "latest": "true"}
    return server.api("PUT", path or path_of(device), expect, files=files, data=form)


def run(server: Server, device: SimulatedDevice) -> int:
    device.check_in()
    server.services.jobs.patcher.work_off()
    device.update()
    return device.running.manifest.product_version


def test_flashed_device_runs_an_image_that_nobody_published(bench: Server) -> None:
    device, other = bench.devices
    answer = flash(bench, device, keys.image(7))
    assert (answer["id"], answer["status"]) == (device.device_id.hex(), "Update started")
    assert [run(bench, one) for one in (device, other)] == [7, 1]
    assert [one["version"] for one in bench.api("GET", f"{PATH}/firmware")] == [2, 1]
    shown = bench.seen(device)
    assert "flashed with version 7: it runs it" in shown["explanation"]
    assert any("flashes version 7" in line["text"] for line in shown["history"])


def test_it_may_go_back_to_an_older_version_and_lock_and_releases_do_not_count(bench: Server) -> None:
    device = bench.devices[0]
    bench.api("PUT", f"{PATH}/firmware/release", json={"version": 2, "force": True})
    bench.api("PUT", path_of(device), json={"desired_firmware_version": 2})
    assert run(bench, device) == 1
    flash(bench, device, keys.image(7))
    assert run(bench, device) == 7
    flash(bench, device, keys.image(1))
    assert run(bench, device) == 1


def test_device_that_is_for_development_no_more_keeps_to_the_plan(bench: Server) -> None:
    device = bench.devices[0]
    flash(bench, device, keys.image(7))
    bench.api("PUT", path_of(device), json={"development": False})
    assert run(bench, device) == 1
    bench.api("PUT", path_of(device), json={"development": True})
    assert run(bench, device) == 1


def test_device_that_is_not_for_development_is_not_flashed(bench: Server) -> None:
    refused = flash(bench, bench.devices[1], keys.image(7), 409)
    assert "not marked for development" in refused["error_description"]


def test_image_that_the_device_would_refuse_is_refused(bench: Server) -> None:
    device = bench.devices[0]
    flash(bench, device, keys.image(7, keys.ELECTRON), 400)
    bench.api("PUT", path_of(device), 400, files={"file": ("firmware.bin", b"tinker")})
    bench.api("PUT", path_of(device), 400, files={"other": ("firmware.bin", keys.image(7).raw)})
    bench.api("PUT", path_of(device), 413, files={"file": ("firmware.bin", bytes(0x6_0001))})
    assert run(bench, device) == 1


def test_image_that_failed_is_offered_again_only_when_it_is_flashed_again(bench: Server) -> None:
    device = bench.devices[0]
    flash(bench, device, keys.image(7))
    device.check_in()
    bench.services.jobs.patcher.work_off()
    device.check_in()
    device.fetch()
    device.boot_staged()
    device.revert(1)
    assert run(bench, device) == 1
    flash(bench, device, keys.image(7))
    assert run(bench, device) == 7


def test_image_that_was_flashed_can_be_published_and_the_other_way_round(bench: Server) -> None:
    device = bench.devices[0]
    flash(bench, device, keys.image(7))
    bench.publish(keys.image(7))
    assert [one["version"] for one in bench.api("GET", f"{PATH}/firmware")] == [7, 2, 1]
    flash(bench, device, keys.image(2))
    assert run(bench, device) == 2


def test_owner_flashes_only_with_the_teams_role(bench: Server) -> None:
    device = bench.devices[0]
    own = f"/devices/{device.device_id.hex()}"
    flash(bench, device, keys.image(7), 404, own)
    bench.api("POST", "/devices", json={"id": device.device_id.hex()})
    flash(bench, device, keys.image(7), path=own)
    assert run(bench, device) == 7
