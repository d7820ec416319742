# SPDX-License-Identifier: Apache-2.0
"""What looking at every device finds for a rollout."""

from __future__ import annotations

from typing import Any

import pytest

from ota_server.rollouts import scanner, store
from ota_server.rollouts.fleet_scan import OUTRANKED, OUTSIDE, SAMPLE, Base, RolloutScan
from ota_server.telemetry import habits
from tests.ota_server import keys
from tests.ota_server.conftest import Server

ALL = {"percent": 100, "gate": {"min_confirmed": 1000}}
SOME = {"percent": 40}


def scan_of(server: Server, rollout: int) -> RolloutScan:
    server.services.jobs.scanner.work_off()
    with server.services.database.read() as connection:
        found = store.scan_of(connection, rollout, is_sampled=True)
    assert found is not None
    return found


def put(server: Server, number: int, **changes: object) -> None:
    device = server.devices[number].device_id.hex()
    server.api("PUT", f"/products/{keys.PRODUCT}/devices/{device}", json=changes)


@pytest.mark.both_databases
def test_scan_tells_who_is_reached_from_which_base_and_who_is_skipped_and_why(server: Server) -> None:
    server.product()
    for image in (keys.image(1), keys.image(1, keys.P1), keys.image(2, hardware=(1, 2))):
        server.publish(image)
    on_p1 = {"platform_id": keys.P1, "running": keys.image(1, keys.P1)}
    boards: list[dict[str, Any]] = [{}, {}, {}, {}, on_p1, {"hardware_revision": 3}, {}]
    for number, fields in enumerate(boards):
        server.device(number, **fields).check_in()
    server.api("PUT", f"/products/{keys.PRODUCT}", json={"product": {"auto_approve": False}})
    server.device(7).check_in()
    put(server, 1, development=True)
    put(server, 2, desired_firmware_version=1)
    server.clock.advance_s(3600)
    server.devices[0].check_in()
    found = scan_of(server, server.rollout(2, ALL, start=False))
    photon = Base(keys.PHOTON, keys.image(1).identity[:8].hex(), 1)
    assert [dict(stage.bases) for stage in found.stages] == [{photon: 3}]
    assert found.skipped == {
        "A development device: nothing is offered automatically.": 1,
        "locked to version 1.": 1,
        "there is no image for its platform.": 1,
        "for hardware revisions 1 to 2, it is 3.": 1,
        "Quarantined: it gets no firmware until its key is approved.": 1,
    }
    assert (found.devices, found.already, found.not_seen, found.silent) == (8, 0, 0, 0)
    assert [one.base for one in found.stages[0].sample] == [0, 0, 0]
    told = [habits.Habit.from_bytes(one.habit).hours for one in found.stages[0].sample]
    assert sorted(told) == [1, 1, 2]


def test_scan_of_a_started_rollout_tells_who_is_still_to_come(stocked: Server) -> None:
    for number in range(4):
        stocked.device(number).check_in()
    stocked.clock.advance_s(7 * 24 * 3600)
    for device in stocked.devices[:3]:
        device.check_in()
    rollout = stocked.rollout(2, ALL)
    expected = {"waiting": 3, "not_seen": 1, "confirmed": 0}
    for confirmed in range(3):
        progress = stocked.show(rollout)["rollout"]["progress"]
        assert {name: progress[name] for name in expected} == expected
        stocked.devices[confirmed].update()
        expected["waiting"], expected["confirmed"] = 2 - confirmed, confirmed + 1
    stocked.clock.advance_s(61)
    stocked.devices[3].check_in()
    assert scan_of(stocked, rollout).untouched == 0
    progress = stocked.show(rollout)["rollout"]["progress"]
    assert (progress["offered"], progress["not_seen"], progress["already"]) == (1, 0, 0)


def test_scan_tells_the_stages_apart_and_who_is_outside(stocked: Server) -> None:
    for number in range(20):
        stocked.device(number).check_in()
    narrow = scan_of(stocked, stocked.rollout(2, SOME, start=False))
    assert narrow.reached + narrow.skipped[OUTSIDE] == 20
    wide = scan_of(stocked, stocked.rollout(2, SOME, ALL, start=False))
    assert [stage.devices > 0 for stage in wide.stages] == [True, True]
    assert wide.reached == 20


def test_scan_leaves_devices_to_the_rollout_that_decides_about_them(stocked: Server) -> None:
    stocked.device().check_in()
    older, newer = (stocked.rollout(2, ALL) for _ in range(2))
    assert scan_of(stocked, newer).reached == 1
    assert scan_of(stocked, older).skipped == {OUTRANKED: 1}


def test_scan_of_a_way_back_finds_who_runs_the_version_that_it_leads_from(stocked: Server) -> None:
    for number in range(2):
        stocked.device(number).check_in()
    rollout = stocked.rollout(2, ALL)
    stocked.devices[0].update()
    path = f"/products/{keys.PRODUCT}/rollouts/{rollout}/roll-back"
    back = stocked.api("POST", path, 201, json={"version": 1})["rollout"]["id"]
    stocked.clock.advance_s(61)
    found = scan_of(stocked, back)
    assert [base.version for base, _ in found.bases] == [2]
    assert (found.reached, found.skipped) == (1, {OUTSIDE: 1})


def test_sample_is_bounded_and_survives_the_database(stocked: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ota_server.rollouts.fleet_scan.SAMPLE", 3)
    monkeypatch.setattr(scanner, "PAGE", 2)
    for number in range(5):
        stocked.device(number).check_in()
    found = scan_of(stocked, stocked.rollout(2, ALL, start=False))
    assert (found.reached, len(found.stages[0].sample)) == (5, 3)
    assert RolloutScan.from_text(found.to_text(), found.sample_to_bytes()) == found
    assert SAMPLE == 400


def test_patches_are_asked_for_from_every_base_that_devices_run(server: Server) -> None:
    server.product()
    for version in range(1, 13):
        server.publish(keys.image(version))
    old = [server.device(number, running=keys.image(1)) for number in range(2)]
    for device in (*old, server.device(5, running=keys.image(11))):
        device.check_in()
    server.rollout(12, ALL)
    patches = server.api("GET", f"/products/{keys.PRODUCT}/patches")["patches"]
    wanted = {one["base_version"]: one["devices"] for one in patches if one["target_version"] == 12}
    assert wanted[1] == 2


def test_scan_that_a_process_did_not_end_is_made_again_after_its_lease(stocked: Server) -> None:
    services = stocked.services
    services.jobs.scanner.stop()
    stocked.device().check_in()
    rollout = stocked.rollout(2, ALL, start=False)
    now_ms = stocked.clock.now_ms()
    with services.database.read() as connection:
        due = scanner._due(connection, now_ms)
    assert due is not None
    takes = [services.database.write(lambda connection: scanner._take(connection, due, now_ms)) for _ in range(2)]
    assert takes == [True, False]
    other = scanner.Scanner(services.database, services.feed, stocked.clock, 1, services.jobs.patcher)
    assert other.work_off() == 0
    stocked.clock.advance_s(scanner.LEASE_MS / 1000 + 1)
    assert other.work_off() == 1
    assert stocked.show(rollout)["rollout"]["progress"]["waiting"] == 1
