# SPDX-License-Identifier: Apache-2.0
"""Devices that run a bad version go back to an earlier one, where their security counters let them."""

from __future__ import annotations

import json
from functools import partial
from typing import Any

import pytest
from sqlalchemy import Connection

from ota_server.devices import store as devices
from ota_server.releases import store as releases
from tests.ota_server import keys
from tests.ota_server.conftest import Server
from tests.ota_server.simulated import SimulatedDevice

PRODUCT = f"/products/{keys.PRODUCT}"


def roll_back(server: Server, rollout: int, version: int = 1, expect: int = 201, **body: Any) -> Any:
    path = f"{PRODUCT}/rollouts/{rollout}/roll-back"
    answer = server.api("POST", path, expect, json={"version": version, **body})
    server.services.jobs.patcher.work_off()
    return answer


def preview(server: Server, rollout: int, version: int = 1) -> Any:
    return server.api("GET", f"{PRODUCT}/rollouts/{rollout}/roll-back?version={version}")


def block(connection: Connection, device: SimulatedDevice) -> None:
    """Version 1 has failed on it."""
    failed = next(one.identity for one in releases.images_of_product(connection, keys.PRODUCT) if one.version == 1)
    row = devices.with_id(connection, device.device_id.hex())[0]
    devices.change(connection, row.id, {"blocked": json.dumps([failed[:16].hex()])})


def version_of(device: SimulatedDevice) -> int:
    return device.running.manifest.product_version


def updated(server: Server, count: int, version: int = 2) -> tuple[int, list[SimulatedDevice]]:
    """A rollout that so many devices have confirmed, and these."""
    fleet = [server.device(number) for number in range(count)]
    for device in fleet:
        device.check_in()
    rollout = server.rollout(version)
    for device in fleet:
        device.update()
        assert version_of(device) == version
    return rollout, fleet


@pytest.mark.both_databases
def test_who_runs_the_bad_version_goes_back_and_nobody_gets_it_again(stocked: Server) -> None:
    rollout, (device,) = updated(stocked, 1)
    untouched = stocked.device(7)
    newer = stocked.device(8, running=keys.image(3))
    stocked.publish(keys.image(3))
    stocked.api("PUT", f"{PRODUCT}/firmware/release", json={"version": 2})
    made = roll_back(stocked, rollout)["rollout"]
    assert (made["version"], made["undoes"], made["status"]) == (1, 2, "running")
    assert stocked.show(rollout)["rollout"]["status"] == "aborted"
    for one in (device, untouched, newer):
        one.update()
    assert [version_of(one) for one in (device, untouched, newer)] == [1, 1, 3]
    shown = stocked.show(made["id"])["rollout"]
    assert (shown["status"], shown["counters"]["offered"], shown["counters"]["confirmed"]) == ("completed", 1, 1)
    assert stocked.api("GET", f"{PRODUCT}/firmware/1")["product_default"] is True
    late = stocked.device(9, running=keys.image(2))
    late.update()
    assert version_of(late) == 1, "whoever comes later goes back, too"


@pytest.mark.both_databases
def test_who_cannot_go_back_is_named_before_and_stays(stocked: Server) -> None:
    rollout, (free, locked, raised, tried) = updated(stocked, 4)
    stocked.api("PUT", f"{PRODUCT}/devices/{locked.device_id.hex()}", json={"desired_firmware_version": 2})
    raised.security_counter = 5
    raised.check_in()
    stocked.services.database.write(partial(block, device=tried))
    seen = preview(stocked, rollout)
    assert seen["going"] == 1
    told = {one["why"]: (one["count"], one["sample"]) for one in seen["staying"]}
    assert told == {
        "locked to version 2.": (1, [locked.device_id.hex()]),
        "security counter 0 is below its own, 5.": (1, [raised.device_id.hex()]),
        "this image failed on it and is not offered again.": (1, [tried.device_id.hex()]),
    }
    roll_back(stocked, rollout, stages=[{"percent": 100, "gate": {"min_confirmed": 10}}])
    for device in (free, locked, raised, tried):
        device.update()
    assert [version_of(device) for device in (free, locked, raised, tried)] == [1, 2, 2, 2]


def test_bad_version_that_is_brought_out_again_ends_going_back(stocked: Server) -> None:
    rollout, (device,) = updated(stocked, 1)
    roll_back(stocked, rollout)
    device.update()
    assert version_of(device) == 1
    stocked.rollout(2)
    device.update()
    device.check_in()
    assert version_of(device) == 2
    assert device.check_in().offer is None, "nothing sends it to and fro"


def test_nothing_goes_back_to_a_later_version_or_a_killed_one_or_before_it_began(stocked: Server) -> None:
    rollout = stocked.rollout(2, start=False)
    roll_back(stocked, rollout, expect=409)
    stocked.api("POST", f"{PRODUCT}/rollouts/{rollout}/start")
    roll_back(stocked, rollout, version=2, expect=400)
    roll_back(stocked, rollout, version=77, expect=404)
    stocked.api("POST", f"{PRODUCT}/firmware/1/kill")
    roll_back(stocked, rollout, expect=409)
    assert stocked.show(rollout)["rollout"]["status"] == "running", "what is refused changes nothing"


def test_completed_rollout_of_some_devices_does_not_bring_the_bad_version_out_again(stocked: Server) -> None:
    fleet = [stocked.device(number) for number in range(2)]
    cohort = {"devices": [device.device_id.hex() for device in fleet]}
    fleet[0].check_in()
    rollout = stocked.rollout(2, {"cohort": cohort, "gate": {"min_confirmed": 1}})
    fleet[0].update()
    assert stocked.show(rollout)["rollout"]["status"] == "completed"
    roll_back(stocked, rollout)
    for device in (*fleet, fleet[0]):
        device.update()
    assert [version_of(device) for device in fleet] == [1, 1]
    assert fleet[0].check_in().offer is None
