# SPDX-License-Identifier: Apache-2.0
"""Products have settings that their team changes, and go when nothing is left of them."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import Connection, func, select

from ota_server.accounts import service as accounts
from ota_server.organizations import store as organizations
from ota_server.organizations.roles import Role
from ota_server.storage.tables import metadata
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
        ({"keep_logs_days": 0}, "keep_logs_days"),
        ({"keep_events_days": 3651}, "keep_events_days"),
        ({"reprogrammers": "everybody"}, "product.reprogrammers"),
        ({"slug": "oven"}, "product.slug"),
        ({"id": 5}, "product.id"),
    ],
)
def test_bad_setting_changes_nothing(server: Server, fields: dict[str, Any], field: str) -> None:
    server.product()
    before = server.api("GET", PATH)
    assert change(server, 400, **fields)["field"] == field
    assert server.api("GET", PATH) == before


@pytest.mark.parametrize(("table", "setting"), [("logs", "keep_logs_days"), ("events", "keep_events_days")])
def test_logs_and_events_are_kept_as_long_as_the_product_says(stocked: Server, table: str, setting: str) -> None:
    stocked.device().log("hello")
    stocked.devices[0].check_in()

    def left_after(days: int) -> int:
        stocked.pass_days(days)
        stocked.services.jobs.forgetter.work_off()
        with stocked.services.database.read() as connection:
            return connection.execute(select(func.count()).select_from(metadata.tables[table])).scalar_one()

    assert change(stocked, **{setting: 100})["product"][setting] == 100
    assert left_after(95) > 0
    reset: dict[str, Any] = {setting: None}
    assert change(stocked, **reset)["product"][setting] is None
    assert left_after(0) == 0
    stocked.devices[0].log("again")
    stocked.devices[0].check_in()
    change(stocked, **{setting: 2})
    assert left_after(1) > 0
    assert left_after(2) == 0


def test_what_a_removed_device_told_is_kept_as_long_as_its_product_says(stocked: Server) -> None:
    stocked.device().log("hello")
    stocked.devices[0].check_in()
    stocked.api("DELETE", f"{PATH}/devices/{stocked.devices[0].device_id.hex()}", 204)
    change(stocked, keep_logs_days=2)
    for days, left in ((1, 1), (2, 0)):
        stocked.pass_days(days)
        stocked.services.jobs.forgetter.work_off()
        with stocked.services.database.read() as connection:
            found = connection.execute(select(func.count()).select_from(metadata.tables["logs"])).scalar_one()
        assert found == left


def test_only_administrators_reprogram_when_the_product_says_so(stocked: Server) -> None:
    def join(connection: Connection) -> str:
        account_id, token = accounts.create_account(connection, "dev@example.com", "-", 0)
        organizations.add_member(connection, 1, account_id, Role.DEVELOPER, 0)
        return token

    administrator, developer = stocked.token, stocked.services.database.write(join)
    release = {"version": 1, "force": True}
    stocked.token = developer
    stocked.api("PUT", f"{PATH}/firmware/release", json=release)
    stocked.token = administrator
    change(stocked, reprogrammers="administrators")
    stocked.api("PUT", f"{PATH}/firmware/release", json=release)
    stocked.token = developer
    refused = stocked.api("PUT", f"{PATH}/firmware/release", 403, json=release)
    assert "only administrators decide" in refused["error_description"]
    stocked.api("GET", f"{PATH}/firmware")


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
