# SPDX-License-Identifier: Apache-2.0
"""Devices are taken out of a product, and what rollouts counted of them stays."""

from __future__ import annotations

import pytest

from tests.ota_server import keys
from tests.ota_server.conftest import EMAIL, Server
from tests.ota_server.simulated import Refused, SimulatedDevice

PATH = f"/products/{keys.PRODUCT}"


def path_of(device: SimulatedDevice) -> str:
    return f"{PATH}/devices/{device.device_id.hex()}"


def test_removed_device_is_gone_from_every_list_and_name(stocked: Server) -> None:
    device, other = stocked.device(1), stocked.device(2)
    for one in (device, other):
        one.check_in()
    stocked.api("PUT", path_of(device), json={"groups": ["beta"], "serial_number": "S1", "name": "kitchen"})
    stocked.api("POST", "/devices", json={"id": device.device_id.hex()})
    stocked.api("DELETE", path_of(device), 204, json={})
    stocked.api("GET", path_of(device), 404)
    stocked.api("DELETE", path_of(device), 404)
    assert [one["id"] for one in stocked.api("GET", f"{PATH}/devices")["devices"]] == [other.device_id.hex()]
    assert stocked.api("GET", f"{PATH}/groups/beta")["group"]["device_count"] == 0
    assert stocked.api("GET", "/devices") == []
    stocked.api("GET", "/serial_numbers/S1", 404)
    stocked.api("PUT", path_of(other), json={"serial_number": "S1"})


def test_removed_device_that_comes_back_is_a_new_one(stocked: Server) -> None:
    device = stocked.device(1)
    device.check_in()
    stocked.api("POST", "/devices", json={"id": device.device_id.hex()})
    stocked.api("DELETE", path_of(device), 204)
    stocked.api("PUT", PATH, json={"product": {"auto_approve": False}})
    device.check_in()
    shown = stocked.api("GET", path_of(device))
    assert (shown["status"], shown["owner"], shown["name"]) == ("quarantined", None, "")
    assert [line["kind"] for line in shown["history"]] == ["opened", "quarantined"]


def test_removed_device_may_become_another_products(stocked: Server) -> None:
    device = stocked.device(1)
    device.check_in()
    stocked.api("POST", "/products", 201, json={"product": {"id": 7, "name": "Seven"}})
    imported = {"id": device.device_id.hex()}
    assert stocked.api("POST", "/products/7/devices", json=imported)["invalidDeviceIds"] == [imported["id"]]
    stocked.api("DELETE", path_of(device), 204)
    assert stocked.api("POST", "/products/7/devices", json=imported)["updatedDeviceIds"] == [imported["id"]]


def test_what_a_rollout_counted_of_a_removed_device_stays(stocked: Server) -> None:
    done, going = stocked.device(1), stocked.device(2)
    for one in (done, going):
        one.check_in()
    rollout = stocked.rollout(2)
    done.update()
    going.check_in()
    for one in (done, going):
        stocked.api("DELETE", path_of(one), 204)
    counters = stocked.show(rollout)["rollout"]["counters"]
    assert (counters["offered"], counters["confirmed"]) == (2, 1)


def test_attempts_of_a_device_that_comes_back_have_other_numbers(stocked: Server) -> None:
    device = stocked.device(1)
    device.check_in()
    stocked.rollout(2)
    device.check_in()
    assert device.offer is not None
    first = device.offer.attempt
    stocked.api("DELETE", path_of(device), 204)
    device.check_in()
    assert device.offer is not None
    assert device.offer.attempt > first


def test_denied_device_that_is_removed_may_come_back(stocked: Server) -> None:
    device = stocked.device(1)
    device.check_in()
    stocked.api("DELETE", path_of(device), 204, json={"deny": True})
    with pytest.raises(Refused):
        device.check_in()
    stocked.api("DELETE", path_of(device), 204)
    device.check_in()
    line = stocked.api("GET", "/orgs/warm-rooms/audit", params={"action": "device.remove"})["audit"][0]
    assert (line["by"], line["subject"]) == (EMAIL, device.device_id.hex())


@pytest.mark.parametrize("has_key", [True, False])
def test_import_leaves_a_denied_device_denied(stocked: Server, has_key: bool) -> None:
    device = stocked.device(1)
    device.check_in()
    stocked.api("DELETE", path_of(device), 204, json={"deny": True})
    exported = stocked.client.get(
        f"/v1/products/{keys.PRODUCT}/devices?format=csv", headers={"authorization": f"Bearer {stocked.token}"}
    )
    table = exported.text if has_key else f"id\n{device.device_id.hex()}\n"
    done = stocked.api("POST", f"/products/{keys.PRODUCT}/devices", files={"file": ("devices.csv", table)})
    assert (done["updated"], done["existingDeviceIds"]) == (0, [device.device_id.hex()])
    with pytest.raises(Refused):
        device.check_in()
