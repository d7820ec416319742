# SPDX-License-Identifier: Apache-2.0
"""Saved cohorts, previews, and rollouts that reach what they name."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from sqlalchemy import Connection, insert, select

from ota_server.customers import store as customers
from ota_server.devices import store as devices_store
from ota_server.devices.models import DeviceStatus, devices, group_devices, groups
from ota_server.rollouts.cohort import Cohort
from ota_server.rollouts.cohort_sql import Conditions
from ota_server.rollouts.facts import DeviceFacts, facts_of
from tests.ota_server import keys
from tests.ota_server.conftest import Server
from tests.ota_server.test_cohort import COHORTS, DAY_MS

PRODUCT = f"/products/{keys.PRODUCT}"
PATH = f"{PRODUCT}/cohorts"
IDS = [f"{number:024x}" for number in range(4)]


@pytest.fixture
def shop(server: Server) -> Server:
    """Four devices: two in group lab, one of them and another one tagged beta."""
    server.product()
    server.api("POST", f"{PRODUCT}/devices", json={"ids": IDS})
    for number in (0, 1):
        server.api("PUT", f"{PRODUCT}/devices/{IDS[number]}", json={"groups": ["lab"]})
    for number in (1, 2):
        server.api("PUT", f"{PRODUCT}/devices/{IDS[number]}", json={"tags": ["beta"], "country": "DE"})
    return server


def save(shop: Server, name: str, cohort: dict[str, Any], expect: int = 201) -> Any:
    return shop.api("POST", PATH, expect, json={"name": name, "cohort": cohort})


def test_a_cohort_is_saved_shown_changed_and_removed(shop: Server) -> None:
    made = save(shop, "near", {"and": [{"group": "lab"}, {"field": "tag", "is": "beta"}]})["cohort"]
    assert made["in_words"] == "group lab and tag is beta"
    assert shop.api("GET", PATH)["cohorts"] == [made]
    shop.api("PUT", f"{PATH}/near", json={"cohort": {"group": "lab"}, "description": "the lab"})
    shown = shop.api("GET", f"{PATH}/near")["cohort"]
    assert (shown["cohort"], shown["description"], shown["used_by"]) == ({"group": "lab"}, "the lab", [])
    assert save(shop, "near", {"all": True}, 409)["error_description"] == "there is a cohort near already"
    shop.api("DELETE", f"{PATH}/near", 204)
    shop.api("GET", f"{PATH}/near", 404)
    lines = shop.api("GET", "/orgs/warm-rooms/audit")["audit"]
    assert {"cohort.create", "cohort.change", "cohort.remove"} <= {line["action"] for line in lines}


def test_what_a_cohort_names_has_to_be_there(shop: Server) -> None:
    save(shop, "Not good", {"all": True}, 400)
    assert "has no group attic" in save(shop, "a", {"group": "attic"}, 404)["error_description"]
    save(shop, "b", {"all": True})
    assert "names no other one" in save(shop, "c", {"cohort": "b"}, 400)["error_description"]
    save(shop, "lab", {"not": {"group": "lab"}})
    refused = shop.api("DELETE", f"{PRODUCT}/groups/lab", 409)
    assert refused["error_description"] == "cohort lab names group lab: change the cohort first"
    shop.api("PUT", f"{PRODUCT}/groups/lab", 409, json={"name": "other"})
    shop.api("PUT", f"{PRODUCT}/groups/lab", json={"color": "#00ff00"})
    shop.api("POST", f"{PATH}/preview", 404, json={"cohort": {"cohort": "none"}})


def test_a_preview_counts_and_shows_some(shop: Server) -> None:
    save(shop, "lab", {"group": "lab"})
    shop.api("PUT", f"{PRODUCT}/devices/{IDS[0]}", json={"development": True})
    body = {"cohort": {"or": [{"cohort": "lab"}, {"field": "country", "is": "DE"}]}}
    seen = shop.api("POST", f"{PATH}/preview", json=body)["preview"]
    assert (seen["devices"], seen["of"]) == (3, 4)
    assert seen["left_out"] == {"expected": 3}
    assert seen["platforms"] == {"unknown": 3}
    assert [one["id"] for one in seen["sample"]] == IDS[:3]
    assert seen["in_words"] == "cohort lab or country is DE"


def draft(server: Server, *stages: dict[str, Any]) -> int:
    made = server.api("POST", f"{PRODUCT}/rollouts", 201, json={"version": 2, "stages": list(stages)})
    return int(made["rollout"]["id"])


def test_a_rollout_reaches_its_cohort_stage_by_stage_and_nobody_else(stocked: Server) -> None:
    near, far, other = (stocked.device(number) for number in range(3))
    for device in (near, far, other):
        device.check_in()
    stocked.api("PUT", f"{PRODUCT}/devices/{near.device_id.hex()}", json={"tags": ["beta"]})
    stocked.api("PUT", f"{PRODUCT}/devices/{far.device_id.hex()}", json={"country": "FR"})
    stocked.rollout(
        2,
        {"cohort": {"field": "tag", "is": "beta"}, "gate": {"min_confirmed": 1}},
        {"cohort": {"field": "country", "one_of": ["DE", "FR"]}, "gate": {"min_confirmed": 2}},
    )
    assert [device.check_in().offer is not None for device in (near, far, other)] == [True, False, False]
    why = stocked.seen(far)["trace"]
    assert any(one["remedy"] == "Stage 2 reaches it: 100 % of country one of DE, FR." for one in why)
    near.update()
    assert [device.check_in().offer is not None for device in (near, far, other)] == [False, True, False]


def test_a_rollout_keeps_what_a_saved_cohort_was_when_it_started(shop: Server) -> None:
    shop.publish(keys.image(2, keys.PHOTON))
    save(shop, "first", {"group": "lab"})
    number = draft(shop, {"cohort": {"cohort": "first"}}, {"percent": 50}, {"percent": 100})
    assert shop.api("GET", f"{PATH}/first")["cohort"]["used_by"] == [number]
    shop.api("DELETE", f"{PATH}/first", 409)
    shop.api("POST", f"{PRODUCT}/rollouts/{number}/start")
    shop.api("PUT", f"{PATH}/first", json={"cohort": {"all": True}})
    shop.api("DELETE", f"{PATH}/first", 204)
    stages = shop.api("GET", f"{PRODUCT}/rollouts/{number}")["rollout"]["stages"]
    assert [one["cohort"] for one in stages] == [{"group": "lab"}, {"all": True}, {"all": True}]
    refused = shop.api("DELETE", f"{PRODUCT}/groups/lab", 409)
    assert refused["error_description"] == f"rollout {number} names group lab: abort it first"


def test_a_trace_tells_of_a_rollout_that_is_paused(stocked: Server) -> None:
    device = stocked.device()
    device.check_in()
    number = stocked.rollout(2)
    stocked.api("POST", f"{PRODUCT}/rollouts/{number}/pause")
    assert device.check_in().offer is None
    explained = stocked.api("GET", f"{PRODUCT}/devices/{device.device_id.hex()}/explain")
    told = next(one for one in explained["trace"] if one["rollout"] == number)
    assert (told["applies"], told["version"]) == (False, 2)
    assert told["why"] == f"Rollout {number} of version 2, paused: nothing is offered."
    assert told["remedy"] == f"Resume rollout {number}."
    assert (explained["offered"], explained["explanation"]) == (None, explained["trace"][-1]["why"])


def test_stages_of_one_cohort_rise(shop: Server) -> None:
    shop.publish(keys.image(2, keys.PHOTON))
    lab = {"group": "lab"}
    draft(shop, {"cohort": lab, "percent": 50}, {"percent": 10}, {"cohort": lab, "percent": 60})
    body = {"version": 2, "stages": [{"cohort": lab, "percent": 50}, {"cohort": lab, "percent": 50}]}
    refused = shop.api("POST", f"{PRODUCT}/rollouts", 400, json=body)
    assert "percentages of a cohort rise" in refused["error_description"]
    body = {"version": 2, "stages": [{"cohort": {"field": "tag"}}]}
    refused = shop.api("POST", f"{PRODUCT}/rollouts", 400, json=body)
    assert (refused["field"], "stage 1: " in refused["error_description"]) == ("stages.0.cohort", True)


NOW_MS = 10 * DAY_MS


@pytest.fixture
def fleet(server: Server) -> tuple[Server, list[DeviceFacts]]:
    """Devices with all kinds of facts, in the database, and as the decision sees them."""
    server.product()
    for name in "abc":
        server.api("POST", f"{PRODUCT}/groups", 201, json={"name": name})
    rng = random.Random(6)

    def store(connection: Connection) -> list[DeviceFacts]:
        group_rows = {row.name: row.id for row in connection.execute(select(groups))}
        customer_rows = [customers.add(connection, keys.PRODUCT, f"{name}@b.c", None, None, 0).id for name in "xy"]
        found = []
        for number in range(80):
            values: dict[str, Any] = {
                "device_id": f"{number:024x}",
                "platform_id": rng.choice([None, 6, 8, 99]),
                "product_version": rng.choice([None, *range(6)]),
                "hardware_revision": rng.choice([None, *range(6)]),
                "security_counter": rng.choice([None, *range(6)]),
                "first_seen_ms": rng.choice([None, rng.randint(0, 12 * DAY_MS), rng.randint(0, 12) * DAY_MS]),
                "customer_id": rng.choice([None, *customer_rows]),
                "tags": " ".join(sorted(rng.sample(["beta", "in_door", "in-door", "b"], rng.randint(0, 3)))),
                "country": rng.choice([None, "DE", "FR"]),
                "health": rng.choice(["{}", '{"2": 3}', '{"2": 0, "3": -1}', '{"3": 5}']),
                "serial_number": None if number % 3 else rng.choice(["A", "A%", "A_", "a", "AB"]) + str(number),
            }
            kept = {**values, "product_id": keys.PRODUCT, "status": DeviceStatus.ACTIVE}
            row = devices_store.add(connection, kept)
            in_groups = frozenset(name for name in "abc" if rng.random() < 0.3)
            for name in in_groups:
                connection.execute(insert(group_devices).values(group_id=group_rows[name], device_row=row))
            device = devices_store.by_row(connection, row)
            assert device is not None
            found.append(facts_of(device, in_groups, None, False, NOW_MS))
        return found

    return server, server.services.database.write(store)


@pytest.mark.both_databases
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cohort=COHORTS)
def test_the_database_finds_the_devices_that_belong(fleet: tuple[Server, list[DeviceFacts]], cohort: Cohort) -> None:
    server, known = fleet
    with server.services.database.read() as connection:
        condition = Conditions(connection, keys.PRODUCT, b"salt", NOW_MS).of(cohort)
        rows = connection.execute(select(devices.c.device_id).where(condition)).scalars()
        assert set(rows) == {one.device_id for one in known if cohort.matches(one, b"salt")}


def test_who_comes_late_to_a_completed_rollout_gets_it_if_it_belongs_to_its_cohort(stocked: Server) -> None:
    first, late, other = (stocked.device(number) for number in range(3))
    for device in (first, late, other):
        device.check_in()
    for device in (first, late):
        stocked.api("PUT", f"{PRODUCT}/devices/{device.device_id.hex()}", json={"tags": ["beta"]})
    number = stocked.rollout(2, {"cohort": {"field": "tag", "is": "beta"}, "gate": {"min_confirmed": 1}})
    first.check_in()
    first.update()
    assert stocked.show(number)["rollout"]["status"] == "completed"
    assert stocked.api("GET", f"{PRODUCT}")["product"]["default_version"] is None, "others were not meant"
    assert other.check_in().offer is None
    assert late.check_in().offer is not None
    assert stocked.seen(late)["explanation"] == "Rollout 1 of version 2, completed: version 2 is offered."
    late.update()
    assert stocked.show(number)["rollout"]["counters"]["confirmed"] == 2
    stocked.api("POST", f"{PRODUCT}/rollouts/{number}/abort")
    other.check_in()
    stocked.api("PUT", f"{PRODUCT}/devices/{other.device_id.hex()}", json={"tags": ["beta"]})
    assert other.check_in().offer is None
    everyone = stocked.rollout(2, {"gate": {"min_confirmed": 1}})
    other.check_in()
    other.update()
    assert stocked.show(everyone)["rollout"]["status"] == "completed"
    refused = stocked.api("POST", f"{PRODUCT}/rollouts/{everyone}/abort", 409)
    assert "release another version" in refused["error_description"]
