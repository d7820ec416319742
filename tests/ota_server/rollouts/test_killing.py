# SPDX-License-Identifier: Apache-2.0
"""A killed version is offered by nothing, until an administrator revives it."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from muster.protocol import Answer
from tests.ota_server import keys
from tests.ota_server.conftest import Server

PRODUCT = f"/products/{keys.PRODUCT}"


def kill(server: Server, version: int = 2, expect: int = 200) -> Any:
    return server.api("POST", f"{PRODUCT}/firmware/{version}/kill", expect)


@pytest.mark.both_databases
def test_killed_version_is_withdrawn_and_offered_by_no_rule(stocked: Server) -> None:
    loading, in_group, locked, other = (stocked.device(number) for number in range(4))
    stocked.api("POST", f"{PRODUCT}/groups", 201, json={"name": "beta"})
    rollout = stocked.rollout(2)
    assert loading.check_in().offer is not None
    for device in (in_group, locked, other):
        device.check_in()
    stocked.api("PUT", f"{PRODUCT}/firmware/release", json={"version": 2, "groups": ["beta"], "force": True})
    stocked.api("PUT", f"{PRODUCT}/firmware/release", json={"version": 2, "product_default": True})
    stocked.api("PUT", f"{PRODUCT}/devices/{in_group.device_id.hex()}", json={"groups": ["beta"]})
    stocked.api("PUT", f"{PRODUCT}/devices/{locked.device_id.hex()}", json={"desired_firmware_version": 2})
    assert kill(stocked)["killed"] == {
        "aborted_rollouts": [rollout],
        "was_default": True,
        "groups": ["beta"],
        "locked_devices": 1,
        "running_devices": 0,
    }
    assert [device.check_in().withdrawn for device in stocked.devices] == [1, 1, 1, 1]
    assert all(device.check_in().offer is None for device in stocked.devices)
    assert stocked.seen(locked)["explanation"] == "Locked to version 2: version 2 is killed."
    assert "killed version 2" in stocked.show(rollout)["rollout"]["reason"]
    shown = stocked.api("GET", f"{PRODUCT}/firmware/2")
    assert shown["killed_on"] is not None
    assert (shown["product_default"], shown["groups"]) == (False, [])


def test_nothing_is_done_with_a_killed_version_until_it_is_revived(stocked: Server) -> None:
    kill(stocked)
    kill(stocked, expect=409)
    stage = [{"percent": 100}]
    stocked.api("POST", f"{PRODUCT}/rollouts", 409, json={"version": 2, "stages": stage})
    stocked.api("PUT", f"{PRODUCT}/firmware/release", 409, json={"version": 2, "force": True})
    stocked.publish(keys.image(2, keys.P1), expect=409)
    stocked.api("POST", f"{PRODUCT}/firmware/2/revive")
    stocked.api("POST", f"{PRODUCT}/firmware/2/revive", 409)
    device = stocked.device()
    device.check_in()
    stocked.rollout(2)
    assert device.check_in().offer is not None


@pytest.mark.parametrize("end", ["rollouts/1/abort", "firmware/2/kill"])
def test_held_check_in_is_answered_at_once_when_its_offer_is_taken_back(stocked: Server, end: str) -> None:
    device = stocked.device()
    stocked.rollout(2)
    assert device.check_in().offer is not None
    device.check_in()
    answers: list[Answer] = []
    waiting = threading.Thread(target=lambda: answers.append(device.check_in(hold_s=25)))
    waiting.start()
    stocked.api("POST", f"{PRODUCT}/{end}")
    waiting.join(60)
    assert answers[0].withdrawn == 1


def test_device_that_has_staged_it_goes_on_and_reports(stocked: Server) -> None:
    device = stocked.device()
    rollout = stocked.rollout(2)
    device.check_in()
    device.fetch()
    device.check_in()
    kill(stocked)
    device.update()
    assert device.running.manifest.product_version == 2
    assert stocked.show(rollout)["rollout"]["counters"]["confirmed"] == 1
