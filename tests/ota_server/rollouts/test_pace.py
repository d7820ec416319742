# SPDX-License-Identifier: Apache-2.0
"""Rollouts offer in their windows, at their pace, in their order, and as devices let them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from ota_server.rollouts.schedule import Schedule
from tests.ota_server import keys
from tests.ota_server.conftest import Server
from tests.ota_server.simulated import SimulatedDevice

PRODUCT = f"/products/{keys.PRODUCT}"
NIGHT = {"from": "22:00", "to": "05:00"}
STAGE: dict[str, Any] = {"percent": 100, "gate": {"min_confirmed": 1000, "max_failures": 1000}}
ENDS = {"percent": 100, "gate": {"min_confirmed": 1}}


def roll_out(server: Server, version: int = 2, stage: dict[str, Any] = STAGE, **schedule: Any) -> str:
    """Starts a rollout, waits for its patches and returns its path."""
    body = {"version": version, "stages": [stage], "schedule": schedule}
    path = f"{PRODUCT}/rollouts/{server.api('POST', f'{PRODUCT}/rollouts', 201, json=body)['rollout']['id']}"
    server.api("POST", f"{path}/start")
    server.services.jobs.patcher.work_off()
    return path


def set_clock(server: Server, time: str) -> None:
    server.clock.at_ms = int(datetime.fromisoformat(time).replace(tzinfo=UTC).timestamp() * 1000)


def trace(server: Server, device: SimulatedDevice) -> str:
    return str(server.seen(device)["explanation"])


def put(server: Server, device: SimulatedDevice, **changes: Any) -> None:
    server.api("PUT", f"{PRODUCT}/devices/{device.device_id.hex()}", json=changes)


def test_nothing_is_offered_outside_the_windows_of_a_devices_own_clock(stocked: Server) -> None:
    set_clock(stocked, "2027-02-01T21:30")
    here, there = stocked.device(1), stocked.device(2)
    roll_out(stocked, windows=[NIGHT])
    stocked.api("PUT", PRODUCT, json={"product": {"time_zone": "Europe/Madrid"}})  # there it is 22:30
    there.check_in()
    put(stocked, there, time_zone="Europe/London")
    assert here.check_in().offer is not None
    assert there.check_in().offer is None
    assert "the next one opens at 2027-02-01T22:00:00.000Z" in trace(stocked, there)
    put(stocked, there, time_zone=None)
    assert there.check_in().offer is not None
    stocked.api("PUT", PRODUCT, 400, json={"product": {"time_zone": "Europe/Nowhere"}})


def test_device_that_seldom_comes_is_told_to_come_when_a_window_opens(stocked: Server) -> None:
    stocked.api("PUT", PRODUCT, json={"product": {"check_in_interval_s": 86_400}})
    set_clock(stocked, "2027-02-01T21:00")
    roll_out(stocked, windows=[NIGHT])
    device = stocked.device(interval_s=86_400)
    told_s = device.check_in().next_s
    assert told_s is not None
    assert 3600 <= told_s <= 3600 + 660
    stocked.clock.advance_s(told_s)
    assert device.check_in().offer is not None
    assert (device.answers[-1].next_s or 0) > 70_000, "from now on as before"


def test_offer_is_withdrawn_when_its_window_closes_and_one_that_is_staged_goes_on(stocked: Server) -> None:
    set_clock(stocked, "2027-02-01T22:00")
    late, staged = stocked.device(1), stocked.device(2)
    roll_out(stocked, windows=[NIGHT])
    assert late.check_in().offer is not None
    staged.check_in()
    staged.fetch()
    staged.check_in()
    set_clock(stocked, "2027-02-02T05:00")
    assert late.check_in().withdrawn == 1
    staged.update()
    assert staged.running.manifest.product_version == 2


def test_who_gets_a_completed_rollouts_version_later_gets_it_in_its_windows_too(stocked: Server) -> None:
    set_clock(stocked, "2027-02-01T22:00")
    stocked.device(1).check_in()
    path = roll_out(stocked, stage=ENDS, windows=[NIGHT], per_minute=1)
    stocked.devices[0].update()
    assert stocked.api("GET", path)["rollout"]["status"] == "completed"
    late, later = stocked.device(2), stocked.device(3)
    set_clock(stocked, "2027-02-02T05:00")
    assert late.check_in().offer is None
    set_clock(stocked, "2027-02-02T22:00")
    assert late.check_in().offer is not None
    assert later.check_in().offer is None
    stocked.api("PUT", f"{path}/schedule", json={"schedule": {}})
    assert later.check_in().offer is not None


@pytest.mark.both_databases
def test_no_more_devices_a_minute_are_offered_it_than_its_limit(stocked: Server) -> None:
    stocked.clock.at_ms += 60_000 - stocked.clock.at_ms % 60_000
    fleet = [stocked.device(number) for number in range(5)]
    for device in fleet:
        device.check_in()
    roll_out(stocked, per_minute=2)
    offers = [device.check_in() for device in fleet]
    assert [answer.offer is not None for answer in offers] == [True, True, False, False, False]
    assert [answer.next_s for answer in offers[2:]] == [60, 90, 120], "as fast as they are let in"
    assert trace(stocked, fleet[2]).endswith("At most 2 devices are offered it in a minute.")
    stocked.clock.advance_s(59)
    assert fleet[2].check_in().offer is None
    stocked.clock.advance_s(1)
    assert [device.check_in().offer is not None for device in fleet[2:]] == [True, True, False]
    assert fleet[0].check_in().withdrawn is None, "what is offered stays offered"


def test_rollout_for_security_goes_first_and_waits_for_nothing(stocked: Server) -> None:
    stocked.publish(keys.image(3))
    set_clock(stocked, "2027-02-01T12:00")
    device = stocked.device()
    waiting: dict[str, Any] = {"windows": [NIGHT], "consent": {"postpone_max_s": 3600}}
    path = roll_out(stocked, 2, **waiting, priority="security")
    roll_out(stocked, 3)
    offered = device.check_in()
    assert offered.offer is not None
    assert offered.offer.identity == keys.image(2).identity[:16]
    assert offered.consent_s is None
    stocked.api("PUT", f"{path}/schedule", json={"schedule": waiting})
    again = device.check_in()
    assert again.offer is not None
    assert again.offer.identity == keys.image(3).identity[:16]


def test_deadline_ends_windows_and_consent(stocked: Server) -> None:
    set_clock(stocked, "2027-02-01T12:00")
    device = stocked.device(put_off_s=10**6)
    deadline = "2027-02-01T13:00:00Z"
    roll_out(stocked, windows=[NIGHT], consent={"postpone_max_s": 3600}, deadline=deadline)
    device.check_in()
    assert "opens at 2027-02-01T13:00:00.000Z" in trace(stocked, device)
    set_clock(stocked, "2027-02-01T13:00")
    answer = device.check_in()
    assert (answer.offer is not None, answer.consent_s) == (True, None)


def test_product_puts_an_offer_off_as_long_as_it_may_since_it_was_first_asked(stocked: Server) -> None:
    device = stocked.device(put_off_s=1800)
    path = roll_out(stocked, consent={"postpone_max_s": 3600})
    answer = device.check_in()
    assert (answer.offer is not None, answer.consent_s) == (True, 3600)
    assert device.check_in().offer is None, "it is not said again while the device thinks about it"
    shown = stocked.seen(device)
    assert shown["attempts"][0]["postponed_until"] is not None
    assert "Attempt 1 is put off for 1800 s by the product." in [line["text"] for line in shown["history"]]
    stocked.clock.advance_s(600)
    device.cut()  # and forgets the offer
    assert device.check_in().consent_s == 3000
    stocked.api("POST", f"{path}/pause")
    assert device.check_in().withdrawn == 1
    stocked.api("POST", f"{path}/resume")
    assert device.check_in().consent_s == 3000, "withdrawing it gives no more time"
    stocked.clock.advance_s(3000)
    forced = device.check_in()
    assert (forced.offer is not None, forced.consent_s) == (True, None), "though it still wants to wait"
    device.update()
    assert device.running.manifest.product_version == 2
    assert stocked.seen(device)["attempts"][0]["postponed_until"] is None


def test_schedule_that_is_given_later_rules_what_is_put_off_already(stocked: Server) -> None:
    device = stocked.device(put_off_s=1800)
    path = roll_out(stocked, consent={"postpone_max_s": 3600})
    device.check_in()
    device.check_in()
    stocked.api("PUT", f"{path}/schedule", json={"schedule": {"priority": "security"}})
    answer = device.check_in()
    assert (answer.offer is not None, answer.consent_s) == (True, None)


@pytest.mark.parametrize("plain", [{}, {"start_at": "2027-01-01T00:00:00Z"}, {"deadline": "2027-01-01T00:00:00Z"}])
def test_schedule_that_only_says_when_it_begins_holds_nobody_back(plain: dict[str, Any]) -> None:
    assert Schedule.from_json(plain).is_plain
    assert not Schedule.from_json(plain | {"per_minute": 1}).is_plain
