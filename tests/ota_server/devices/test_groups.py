# SPDX-License-Identifier: Apache-2.0
"""Devices have names, notes and groups, and are found by them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.ota_server import keys
from tests.ota_server.conftest import Server

pytestmark = pytest.mark.both_databases

PATH = f"/products/{keys.PRODUCT}"


def device_id(number: int) -> str:
    return f"{number:024x}"


@pytest.fixture
def fleet(server: Server) -> Server:
    """Devices 1 to 5."""
    server.product()
    server.api("POST", f"{PATH}/devices", json={"ids": [device_id(number) for number in range(1, 6)]})
    return server


def change(server: Server, number: int, expect: int = 200, **fields: Any) -> Any:
    return server.api("PUT", f"{PATH}/devices/{device_id(number)}", expect, json=fields)


def found(server: Server, **query: Any) -> list[int]:
    """Numbers of the devices that a list shows, in its order."""
    answer = server.api("GET", f"{PATH}/devices", params=query)
    return [int(one["id"], 16) for one in answer["devices"]]


def groups(server: Server) -> dict[str, int]:
    return {one["name"]: one["device_count"] for one in server.api("GET", f"{PATH}/groups")["groups"]}


def test_device_is_put_into_groups_which_are_made(fleet: Server) -> None:
    assert change(fleet, 1, groups=["beta", "kitchen"])["groups"] == ["beta", "kitchen"]
    assert change(fleet, 2, groups=["beta", "beta"])["groups"] == ["beta"]
    assert groups(fleet) == {"beta": 2, "kitchen": 1}
    assert change(fleet, 1, groups=["kitchen"])["groups"] == ["kitchen"]
    assert change(fleet, 2, groups=[])["groups"] == []
    assert groups(fleet) == {"beta": 0, "kitchen": 1}
    shown = fleet.api("GET", f"{PATH}/devices/{device_id(1)}")
    assert shown["groups"] == ["kitchen"]
    assert "ana@example.com set groups = kitchen." in [line["text"] for line in shown["history"]]


def test_many_devices_change_groups_at_once(fleet: Server) -> None:
    change(fleet, 1, groups=["old", "stays"])
    body = {
        "action": "groups",
        "devices": [device_id(1), device_id(2)],
        "metadata": {"add": ["new"], "remove": ["old"]},
    }
    assert fleet.api("PUT", f"{PATH}/devices", json=body) == {"ok": True}
    assert found(fleet, groups="new") == [1, 2]
    assert found(fleet, groups="old") == []
    assert found(fleet, groups="stays,none") == [1]


@pytest.mark.parametrize(
    ("devices", "add", "status"),
    [([device_id(1), device_id(99)], ["new"], 404), ([device_id(1), device_id(2)], ["new", "Not Good"], 400)],
)
def test_change_of_many_is_made_whole_or_not_at_all(
    fleet: Server, devices: list[str], add: list[str], status: int
) -> None:
    body = {"action": "groups", "devices": devices, "metadata": {"add": add}}
    fleet.api("PUT", f"{PATH}/devices", status, json=body)
    assert groups(fleet) == {}


def test_group_is_made_changed_and_removed(fleet: Server) -> None:
    made = fleet.api("POST", f"{PATH}/groups", 201, json={"name": "beta", "description": "ours", "color": "#00ff7F"})
    assert made["group"] == {
        "name": "beta",
        "description": "ours",
        "color": "#00ff7F",
        "fw_version": None,
        "device_count": 0,
    }
    change(fleet, 1, groups=["beta"])
    changed = fleet.api("PUT", f"{PATH}/groups/beta", json={"name": "early"})["group"]
    assert changed == {
        "name": "early",
        "description": "ours",
        "color": "#00ff7F",
        "fw_version": None,
        "device_count": 1,
    }
    assert found(fleet, groups="early") == [1]
    assert [one["name"] for one in fleet.api("GET", f"{PATH}/groups?name=arl")["groups"]] == ["early"]
    assert fleet.api("GET", f"{PATH}/groups/early")["group"] == changed
    fleet.api("DELETE", f"{PATH}/groups/early", 204)
    fleet.api("GET", f"{PATH}/groups/early", 404)
    assert fleet.api("GET", f"{PATH}/devices/{device_id(1)}")["groups"] == []


@pytest.mark.parametrize(
    ("method", "name", "body", "status", "field"),
    [
        ("POST", "", {"name": "Beta"}, 400, "name"),
        ("POST", "", {"name": "beta", "color": "green"}, 400, "color"),
        ("POST", "", {"name": "taken"}, 409, None),
        ("PUT", "/none", {"color": "#000000"}, 404, None),
        ("PUT", "/other", {"name": "taken"}, 409, None),
        ("PUT", "/other", {"name": "a b"}, 400, "name"),
    ],
)
def test_bad_group_is_refused(
    fleet: Server, method: str, name: str, body: dict[str, str], status: int, field: str | None
) -> None:
    for group in ("taken", "other"):
        fleet.api("POST", f"{PATH}/groups", 201, json={"name": group})
    assert fleet.api(method, f"{PATH}/groups{name}", status, json=body).get("field") == field
    assert groups(fleet) == {"other": 0, "taken": 0}


def test_groups_of_another_product_are_apart(fleet: Server) -> None:
    fleet.api("POST", "/products", 201, json={"product": {"id": 7, "name": "Lamp"}})
    fleet.api("POST", "/products/7/groups", 201, json={"name": "beta"})
    change(fleet, 1, groups=["beta"])
    assert fleet.api("GET", "/products/7/groups/beta")["group"]["device_count"] == 0
    fleet.api("DELETE", "/products/7/groups/beta", 204)
    assert groups(fleet) == {"beta": 1}


def test_name_and_notes_are_kept_and_notes_stay_out_of_the_logs(fleet: Server) -> None:
    shown = change(fleet, 1, name="Kitchen", notes="behind the fridge")
    assert (shown["name"], shown["notes"]) == ("Kitchen", "behind the fridge")
    assert "fridge" not in str(fleet.api("GET", "/orgs/warm-rooms/audit"))
    assert change(fleet, 1, 400, notes=4001 * "x")["field"] == "notes"
    assert change(fleet, 1, 400, notes=None)["field"] == "notes"
    assert change(fleet, 1)["notes"] == "behind the fridge"


def test_devices_are_found_by_what_is_known_of_them(fleet: Server) -> None:
    for number, name in ((1, "Kitchen"), (2, "kitchen sink"), (3, "100%"), (4, "Attic")):
        change(fleet, number, name=name)
    change(fleet, 4, groups=["beta"])
    assert found(fleet, deviceName="KITCHEN") == [1, 2]
    assert found(fleet, deviceName="%") == [3]
    assert found(fleet, deviceId="0005") == [5]
    assert found(fleet, groups="beta", deviceName="att") == [4]
    assert found(fleet, status="expected") == [1, 2, 3, 4, 5]
    assert found(fleet, status="active") == []
    assert found(fleet, version=1) == []


def test_lists_are_sorted_and_cut_into_pages(fleet: Server) -> None:
    for number, name in ((1, "e"), (2, "d"), (3, "c"), (4, "b"), (5, "a")):
        change(fleet, number, name=name)
    assert found(fleet, sortDir="desc") == [5, 4, 3, 2, 1]
    assert found(fleet, sortAttr="deviceName") == [5, 4, 3, 2, 1]
    assert found(fleet, sortAttr="deviceName", per_page=2, page=2) == [3, 2]
    assert found(fleet, sortAttr="lastConnection", sortDir="desc", per_page=1, page=6) == []
    meta = fleet.api("GET", f"{PATH}/devices?per_page=2")["meta"]
    assert meta == {"total_pages": 3, "total_records": 5}


def test_devices_that_were_never_heard_come_last_when_the_last_heard_come_first(stocked: Server) -> None:
    stocked.api("POST", f"{PATH}/devices", json={"ids": [device_id(1), device_id(2)]})
    stocked.device().check_in()
    heard = int(stocked.devices[0].device_id.hex(), 16)
    for attribute in ("lastConnection", "firmwareVersion"):
        assert found(stocked, sortAttr=attribute, sortDir="desc") == [heard, 2, 1]
        assert found(stocked, sortAttr=attribute) == [1, 2, heard]


@pytest.mark.parametrize("query", ["sortAttr=magic", "sortDir=up", "status=fine", "page=0", "version=x"])
def test_bad_filter_is_refused(fleet: Server, query: str) -> None:
    assert fleet.api("GET", f"{PATH}/devices?{query}", 400)["field"] == query.split("=")[0]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(max_size=30))
def test_any_text_may_be_looked_for(fleet: Server, text: str) -> None:
    change(fleet, 1, name=text)
    query = {"deviceName": text, "groups": text, "deviceId": text[:24]}
    for field, value in query.items():
        fleet.api("GET", f"{PATH}/devices", params={field: value})
    assert text == "" or 1 in found(fleet, deviceName=text)
