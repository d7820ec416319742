# SPDX-License-Identifier: Apache-2.0
"""Products have settings that their team changes, and go when nothing is left of them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.ota_server import keys
from tests.ota_server.conftest import Server

pytestmark = pytest.mark.both_databases

PATH = f"/products/{keys.PRODUCT}"


def change(server: Server, expect: int = 200, **fields: Any) -> Any:
    return server.api("PUT", PATH, expect, json={"product": fields})


def test_settings_are_changed_one_by_one(server: Server) -> None:
    server.product(description="warm")
    assert change(server, name=" Oven ")["product"]["name"] == "Oven"
    changed = change(server, check_in_interval_s=60, quarantine_max=5)["product"]
    assert (changed["name"], changed["description"], changed["slug"]) == ("Oven", "warm", "thermostat")
    assert server.api("GET", PATH)["product"] == changed


def test_devices_learn_of_a_new_interval_at_their_next_check_in(stocked: Server) -> None:
    device = stocked.device()
    before = device.check_in().next_s
    change(stocked, check_in_interval_s=20)
    after = device.check_in().next_s
    assert before is not None
    assert after is not None
    assert 16 <= after <= 24 < before


def test_new_devices_are_trusted_or_not_as_the_product_says(stocked: Server) -> None:
    first, second = stocked.device(1), stocked.device(2)
    first.check_in()
    change(stocked, auto_approve=False)
    second.check_in()
    assert [stocked.seen(device)["status"] for device in (first, second)] == ["active", "quarantined"]


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"name": " "}, "name"),
        ({"description": 10_001 * "x"}, "description"),
        ({"check_in_interval_s": 0}, "check_in_interval_s"),
        ({"quarantine_max": -1}, "quarantine_max"),
        ({"slug": "oven"}, "product.slug"),
        ({"id": 5}, "product.id"),
    ],
)
def test_bad_setting_changes_nothing(server: Server, fields: dict[str, Any], field: str) -> None:
    server.product()
    before = server.api("GET", PATH)
    assert change(server, 400, **fields)["field"] == field
    assert server.api("GET", PATH) == before


def test_product_goes_when_nothing_is_left_of_it(server: Server) -> None:
    server.product()
    server.api("POST", f"{PATH}/groups", 201, json={"name": "beta"})
    server.api("DELETE", PATH, 204)
    server.api("GET", PATH, 404)
    server.product()
    assert server.api("GET", f"{PATH}/groups")["groups"] == []


def test_product_with_devices_or_releases_stays(server: Server) -> None:
    server.product()
    server.publish(keys.image(1))
    assert "has releases:" in server.api("DELETE", PATH, 409)["error_description"]
    server.api("POST", f"{PATH}/devices", json={"id": 24 * "a"})
    assert "has devices and releases:" in server.api("DELETE", PATH, 409)["error_description"]
    assert len(server.api("GET", f"{PATH}/firmware")) == 1
