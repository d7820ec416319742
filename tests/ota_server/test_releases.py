# SPDX-License-Identifier: Apache-2.0
"""Versions are released to the default and to groups, and removed when nobody ever had them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.ota_server import keys
from tests.ota_server.conftest import Server
from tests.ota_server.simulated import SimulatedDevice

PATH = f"/products/{keys.PRODUCT}"


@pytest.fixture
def shop(stocked: Server) -> Server:
    """Versions 1 to 3 for the Photon; devices 1 to 3 run version 1, device 1 is in the group beta."""
    stocked.publish(keys.image(3))
    for number in (1, 2, 3):
        stocked.device(number).check_in()
    put_into(stocked, stocked.devices[0], "beta")
    stocked.services.jobs.patcher.work_off()
    return stocked


def put_into(server: Server, device: SimulatedDevice, *names: str) -> None:
    server.api("PUT", f"{PATH}/devices/{device.device_id.hex()}", json={"groups": list(names)})


def release(server: Server, version: int, expect: int = 200, **to: Any) -> Any:
    return server.api("PUT", f"{PATH}/firmware/release", expect, json={"version": version, **to})


def prove(server: Server, version: int) -> None:
    """Some device runs the version."""
    server.device(90 + version, running=keys.image(version)).check_in()


def updated(server: Server, device: SimulatedDevice) -> int:
    """What a device runs after it was given the time to update."""
    for _ in range(3):
        device.check_in()
        server.services.jobs.patcher.work_off()
        device.update()
    return device.running.manifest.product_version


def listed(server: Server) -> dict[int, tuple[bool, list[str]]]:
    return {one["version"]: (one["product_default"], one["groups"]) for one in server.api("GET", f"{PATH}/firmware")}


def test_a_version_is_released_only_after_it_has_run_on_a_device(shop: Server) -> None:
    refused = release(shop, 2, 409)
    assert "has not run on a device" in refused["error_description"]
    release(shop, 2, 409, groups=["beta"])
    release(shop, 1, product_default=True)
    prove(shop, 2)
    release(shop, 2)
    assert listed(shop)[2] == (True, [])


def test_a_version_that_is_only_on_trial_has_not_run(shop: Server) -> None:
    device = shop.device(9, running=keys.image(2))
    device.trial = 1
    device.check_in()
    release(shop, 2, 409)


def test_a_version_is_released_by_force_which_is_in_the_audit_log(shop: Server) -> None:
    assert release(shop, 2, groups=["beta"], force=True, intelligent=True)["intelligent"] is True
    line = shop.api("GET", "/orgs/warm-rooms/audit", params={"action": "release.release"})["audit"][0]
    assert line["detail"] == "groups=beta; forced"


def test_group_gets_its_release_and_others_the_default(shop: Server) -> None:
    for version in (2, 3):
        prove(shop, version)
    release(shop, 2, product_default=True)
    release(shop, 3, groups=["beta"])
    assert listed(shop) == {3: (False, ["beta"]), 2: (True, []), 1: (False, [])}
    assert [updated(shop, device) for device in shop.devices[:3]] == [3, 2, 2]
    assert "group beta" in shop.seen(shop.devices[0])["explanation"]
    shown = shop.api("GET", f"{PATH}/groups/beta")["group"]
    assert (shown["fw_version"], shown["device_count"]) == (3, 1)


def test_device_in_several_groups_gets_the_highest_version(shop: Server) -> None:
    for version in (2, 3):
        prove(shop, version)
    put_into(shop, shop.devices[0], "beta", "cellar")
    release(shop, 3, groups=["cellar"])
    release(shop, 2, groups=["beta"])
    assert updated(shop, shop.devices[0]) == 3


def test_releasing_again_says_to_which_groups_it_is_released(shop: Server) -> None:
    prove(shop, 2)
    put_into(shop, shop.devices[1], "cellar")
    release(shop, 2, groups=["beta", "cellar"])
    release(shop, 2, product_default=True)
    assert listed(shop)[2] == (True, ["beta", "cellar"])
    release(shop, 2, groups=["cellar"], product_default=False)
    assert listed(shop)[2] == (False, ["cellar"])
    release(shop, 2, 404, groups=["none"])
    release(shop, 2, groups=[])
    assert listed(shop)[2] == (False, [])


def test_a_version_that_is_not_the_default_does_not_end_another_that_is(shop: Server) -> None:
    release(shop, 1)
    release(shop, 2, product_default=False)
    assert listed(shop)[1] == (True, [])


def test_leaving_a_group_or_removing_it_ends_its_release(shop: Server) -> None:
    prove(shop, 2)
    release(shop, 2, groups=["beta"])
    put_into(shop, shop.devices[0])
    assert updated(shop, shop.devices[0]) == 1
    put_into(shop, shop.devices[0], "beta")
    shop.api("DELETE", f"{PATH}/groups/beta", 204)
    assert updated(shop, shop.devices[0]) == 1


def test_impact_counts_who_would_be_updated(shop: Server) -> None:
    prove(shop, 2)
    shop.api("PUT", f"{PATH}/devices/{shop.devices[2].device_id.hex()}", json={"development": True})

    def impact(**query: Any) -> Any:
        answer = shop.api("GET", f"{PATH}/impact", params={"action": "edit_groups_for_firmware", **query})
        return answer["devices"]["firmware_update"]

    assert impact(firmware_version=2, groups="beta") == {"total": 1, "by_version": [{"version": 1, "total": 1}]}
    assert impact(firmware_version=2, product_default=True)["total"] == 2
    assert impact(firmware_version=3, product_default=True) == {
        "total": 3,
        "by_version": [{"version": 2, "total": 1}, {"version": 1, "total": 2}],
    }
    release(shop, 2, groups=["beta"])
    assert impact(firmware_version=2, product_default=True)["total"] == 1
    shop.api("GET", f"{PATH}/impact", 404, params={"firmware_version": 9})


def test_title_and_description_are_changed(shop: Server) -> None:
    path = f"{PATH}/firmware/2"
    assert shop.api("PUT", path, json={"title": "Spring"})["title"] == "Spring"
    assert shop.api("PUT", path, json={"description": "d" * 10_000})["title"] == "Spring"
    shop.api("PUT", path, 400, json={"title": "t" * 201})
    shop.api("PUT", path, 400, json={"version": 3})


def test_a_version_that_nobody_had_is_removed(shop: Server) -> None:
    shop.api("DELETE", f"{PATH}/firmware/3", 204)
    assert list(listed(shop)) == [2, 1]
    shop.publish(keys.image(3))
    shop.services.jobs.patcher.work_off()
    assert list(listed(shop)) == [3, 2, 1]


def test_a_version_that_somebody_may_have_is_not_removed(shop: Server) -> None:
    def refused() -> str:
        return str(shop.api("DELETE", f"{PATH}/firmware/2", 409)["error_description"])

    locked = f"{PATH}/devices/{shop.devices[1].device_id.hex()}"
    shop.api("PUT", locked, json={"desired_firmware_version": 2})
    assert "locked to" in refused()
    shop.devices[1].check_in()
    shop.services.jobs.patcher.work_off()
    shop.devices[1].check_in()
    shop.api("PUT", locked, json={"desired_firmware_version": None})
    assert "was offered" in refused()
    shop.rollout(2, start=False)
    assert "has a rollout" in refused()
    release(shop, 2, force=True)
    release(shop, 2, product_default=False)
    assert "was released" in refused()
