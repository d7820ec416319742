# SPDX-License-Identifier: Apache-2.0
"""What gates do to rollouts: they advance, wait, pause and complete, and the audit log says so."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
from sqlalchemy import select

from ota_server.rollouts import baseline, store
from ota_server.rollouts.check import recount
from ota_server.rollouts.models import version_weeks
from tests.ota_server import keys
from tests.ota_server.conftest import Server
from tests.ota_server.simulated import SimulatedDevice


def shown(server: Server, rollout: int) -> Any:
    return server.show(rollout)["rollout"]


def audited(server: Server) -> list[tuple[str, str]]:
    """(action, detail) of what rollouts did, first one first."""
    entries = server.api("GET", "/orgs/warm-rooms/audit")["audit"]
    return [(one["action"], one["detail"]) for one in entries[::-1] if one["action"].startswith("rollout.")]


def update(server: Server, count: int, first: int = 0) -> None:
    """Has so many devices come by until they have confirmed what they were offered."""
    for number in range(first, first + count):
        server.device(number).update()


def test_stage_soaks_after_its_confirmed_boots_and_ends_without_a_check_in(photons: Server) -> None:
    rollout = photons.rollout(2, {"gate": {"min_confirmed": 1, "soak_s": 3600}})
    photons.clock.advance_s(7200)
    update(photons, 1)
    found = shown(photons, rollout)
    assert found["status"] == "running"
    assert "has its 1 confirmed boots and soaks until 2027-01-15T11:00:00.000Z" in found["gate"]
    photons.clock.advance_s(3599)
    photons.services.jobs.timekeeper.work_off()
    assert shown(photons, rollout)["status"] == "running"
    photons.clock.advance_s(1)
    photons.services.jobs.timekeeper.work_off()
    assert shown(photons, rollout)["status"] == "completed"


def test_failure_during_the_soak_pauses(photons: Server) -> None:
    rollout = photons.rollout(2, {"gate": {"soak_s": 3600}})
    update(photons, 1)
    revert(photons, 1)
    assert shown(photons, rollout)["status"] == "paused"


def test_clock_that_goes_back_a_year_does_not_make_a_soak_longer(photons: Server) -> None:
    rollout = photons.rollout(2, {"gate": {"soak_s": 3600}})
    update(photons, 1)
    photons.clock.advance_s(-365 * 24 * 3600)
    photons.services.jobs.timekeeper.work_off()
    photons.clock.advance_s(3600)
    photons.services.jobs.timekeeper.work_off()
    assert shown(photons, rollout)["status"] == "completed"


def test_every_move_is_audited_with_who_made_it(photons: Server) -> None:
    rollout = photons.rollout(
        2,
        {"cohort": {"field": "platform", "is": "photon"}, "gate": {"min_confirmed": 1}},
        {"gate": {"min_confirmed": 2}},
    )
    photons.api("POST", f"/products/{keys.PRODUCT}/rollouts/{rollout}/pause")
    photons.api("POST", f"/products/{keys.PRODUCT}/rollouts/{rollout}/resume")
    update(photons, 2)
    assert audited(photons) == [
        ("rollout.create", ""),
        ("rollout.start", ""),
        ("rollout.pause", ""),
        ("rollout.resume", ""),
        ("rollout.advance", "by the gate: Stage 1 ended: 1 confirmed of 1 needed, 0 failures."),
        ("rollout.complete", "by the gate: Completed: 2 confirmed of 2 needed, 0 failures, 0 not seen."),
    ]


def revert(server: Server, number: int) -> None:
    """Has a device come by, try what it is offered, and go back."""
    device = server.device(number)
    device.check_in()
    device.check_in()
    device.fetch()
    device.boot_staged()
    device.revert(1)
    device.check_in()


def crash(device: SimulatedDevice) -> None:
    """What it runs faults, and is started again."""
    device.crash()
    device.check_in()


def counters(server: Server, rollout: int) -> dict[str, int]:
    """Those that are kept; made anew they are the same."""
    with server.services.database.read() as connection:
        kept = store.get(connection, rollout)
        assert kept is not None
        assert recount(connection, kept) == kept
    return {name: count for name, count in shown(server, rollout)["counters"].items() if count}


def test_rate_pauses_when_there_is_enough_evidence_and_not_before(photons: Server) -> None:
    rollout = photons.rollout(2, {"gate": {"min_confirmed": 50, "max_revert_rate": 0.01}})
    update(photons, 2)
    revert(photons, 10)
    found = shown(photons, rollout)
    assert found["status"] == "running"
    assert found["gate"] == (
        "Stage 1: goes on at 50 confirmed, 2 now; pauses when 2 of 3 devices reverted (a rate of 1 %), 1 now."
    )
    assert found["gate_distance"][0] == {"name": "confirmed", "count": 2, "limit": 50}
    assert found["gate_distance"][1] | {"evidence": 0} == {
        "name": "revert_rate",
        "count": 1,
        "limit": 1,
        "of": 3,
        "rate": 0.01,
        "evidence": 0,
    }
    revert(photons, 11)
    found = shown(photons, rollout)
    assert found["status"] == "paused"
    assert "2 of 4 devices offered it reverted, which is too many for a rate of 1 % (from 2 on)" in found["reason"]


def test_what_was_forgiven_counts_no_longer(photons: Server) -> None:
    rollout = photons.rollout(2, {"gate": {"min_confirmed": 50, "max_failure_rate": 0.01}})
    for number in (1, 2):
        revert(photons, number)
    assert shown(photons, rollout)["status"] == "paused"
    resumed = photons.api("POST", f"/products/{keys.PRODUCT}/rollouts/{rollout}/resume")["rollout"]
    assert resumed["status"] == "running"
    assert (resumed["gate_distance"][1]["count"], resumed["gate_distance"][1]["of"]) == (0, 0)
    revert(photons, 3)
    assert shown(photons, rollout)["status"] == "running"


@pytest.mark.both_databases
def test_device_that_crashes_counts_once_whatever_it_reports(photons: Server) -> None:
    rollout = photons.rollout(2, {"gate": {"min_confirmed": 50, "max_crash_rate": 0.01}})
    update(photons, 1)
    device = photons.devices[0]
    crash(device)
    crash(device)
    assert counters(photons, rollout) == {"offered": 1, "confirmed": 1, "crashed": 1, "crashed_early": 1}
    assert shown(photons, rollout)["status"] == "running"
    update(photons, 1, first=1)
    crash(photons.devices[1])
    found = shown(photons, rollout)
    assert found["status"] == "paused"
    assert "2 of 2 devices offered it crashed" in found["reason"]


def test_crash_of_the_version_before_is_not_the_rollouts(photons: Server) -> None:
    rollout = photons.rollout(2, {"gate": {"min_confirmed": 50, "max_crash_rate": 0.01}})
    device = photons.device()
    device.check_in()
    device.check_in()
    crash(device)
    device.update()
    assert counters(photons, rollout) == {"offered": 1, "confirmed": 1}


def test_crash_on_trial_counts_beside_the_revert(photons: Server) -> None:
    rollout = photons.rollout(2, {"gate": {"min_confirmed": 50, "max_crash_rate": 0.01}})
    device = photons.device()
    device.check_in()
    device.check_in()
    device.fetch()
    device.boot_staged()
    device.crash()
    device.revert(2)
    device.check_in()
    assert counters(photons, rollout) == {"offered": 1, "reverted": 1, "crashed": 1, "crashed_early": 1}


def week(server: Server) -> None:
    """The next week of the epoch begins, and what the meter has counted is written."""
    server.services.write_usage().result()
    server.clock.advance_s((baseline.WEEK_MS - server.clock.now_ms() % baseline.WEEK_MS) / 1000)


def test_version_that_crashes_more_than_the_one_before_pauses(photons: Server) -> None:
    devices = [photons.device(number) for number in range(20)]
    for device in devices:
        device.check_in()
    crash(devices[0])
    week(photons)
    rollout = photons.rollout(2, {"gate": {"min_confirmed": 100, "worse_than_before": True}})
    for device in devices[:10]:
        device.update()
        if shown(photons, rollout)["status"] == "paused":
            break
        crash(device)
    found = shown(photons, rollout)
    assert found["gate_distance"][1]["name"] == "crash_rate"
    assert found["gate_distance"][1]["before"] == "1 of 20 with version 1"
    assert (
        "6 of 6 devices offered it crashed, which is too many for 1 of 20 with version 1 (from 6 on)" in found["gate"]
    )


@pytest.mark.both_databases
def test_device_is_heard_once_in_a_week_whatever_it_says(photons: Server) -> None:
    device = photons.device()
    for _ in range(3):
        device.check_in()
    crash(device)
    crash(device)
    now_week = baseline.week_of(photons.clock.now_ms())
    week(photons)
    device.check_in()
    week(photons)
    with photons.services.database.read() as connection:
        rows = connection.execute(select(version_weeks).order_by(version_weeks.c.week)).all()
    assert [tuple(row) for row in rows] == [
        (keys.PRODUCT, 1, now_week, 1, 1),
        (keys.PRODUCT, 1, now_week + 1, 1, 0),
    ]


@pytest.mark.both_databases
def test_what_is_known_of_a_version_is_copied_when_a_rollout_begins(photons: Server) -> None:
    first = photons.rollout(1)
    known = {"offered": 5, "confirmed": 2, "reverted": 2, "failed": 1}
    photons.services.database.write(partial(store.change, rollout_id=first, values=known))
    device = photons.device()
    device.check_in()
    crash(device)
    week(photons)
    second = photons.rollout(2, {"gate": {"worse_than_before": True}})
    device.check_in()
    photons.services.database.write(partial(store.change, rollout_id=first, values={"offered": 99}))
    with photons.services.database.read() as connection:
        assert baseline.before(connection, second) == baseline.Baseline(1, 1, 1, 1, 5, 3, 2)
