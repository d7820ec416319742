# SPDX-License-Identifier: Apache-2.0
"""What gates do to rollouts: they advance, wait, pause and complete, and the audit log says so."""

from __future__ import annotations

from typing import Any

import pytest

from ota_server.rollouts import store
from ota_server.rollouts.check import recount
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


def test_stage_soaks_after_its_confirmed_boots_and_ends_without_a_check_in(stocked: Server) -> None:
    rollout = stocked.rollout(2, {"gate": {"min_confirmed": 1, "soak_s": 3600}})
    stocked.clock.advance_s(7200)
    update(stocked, 1)
    found = shown(stocked, rollout)
    assert found["status"] == "running"
    assert "has its 1 confirmed boots and soaks until 2027-01-15T11:00:00.000Z" in found["gate"]
    stocked.clock.advance_s(3599)
    stocked.services.timekeeper.work_off()
    assert shown(stocked, rollout)["status"] == "running"
    stocked.clock.advance_s(1)
    stocked.services.timekeeper.work_off()
    assert shown(stocked, rollout)["status"] == "completed"


def test_failure_during_the_soak_pauses(stocked: Server) -> None:
    rollout = stocked.rollout(2, {"gate": {"soak_s": 3600}})
    update(stocked, 1)
    device = stocked.device(1)
    device.check_in()
    device.check_in()
    device.fetch()
    device.boot_staged()
    device.revert(1)
    device.check_in()
    assert shown(stocked, rollout)["status"] == "paused"


def test_clock_that_goes_back_a_year_does_not_make_a_soak_longer(stocked: Server) -> None:
    rollout = stocked.rollout(2, {"gate": {"soak_s": 3600}})
    update(stocked, 1)
    stocked.clock.advance_s(-365 * 24 * 3600)
    stocked.services.timekeeper.work_off()
    stocked.clock.advance_s(3600)
    stocked.services.timekeeper.work_off()
    assert shown(stocked, rollout)["status"] == "completed"


def test_every_move_is_audited_with_who_made_it(stocked: Server) -> None:
    rollout = stocked.rollout(2, {"percent": 99, "gate": {"min_confirmed": 1}}, {"gate": {"min_confirmed": 2}})
    stocked.api("POST", f"/products/{keys.PRODUCT}/rollouts/{rollout}/pause")
    stocked.api("POST", f"/products/{keys.PRODUCT}/rollouts/{rollout}/resume")
    update(stocked, 2)
    assert audited(stocked) == [
        ("rollout.create", ""),
        ("rollout.start", ""),
        ("rollout.pause", ""),
        ("rollout.resume", ""),
        ("rollout.advance", "by the gate: Stage 1 ended: 1 confirmed of 1 needed, 0 failures."),
        ("rollout.complete", "by the gate: Completed: 2 confirmed of 2 needed, 0 failures, 0 not seen."),
    ]


def test_distance_to_the_gate_is_shown_in_numbers(stocked: Server) -> None:
    rollout = stocked.rollout(2, {"gate": {"min_confirmed": 50, "max_failures": 5}})
    update(stocked, 2)
    assert shown(stocked, rollout)["gate_distance"] == [
        {"name": "confirmed", "count": 2, "limit": 50},
        {"name": "failures", "count": 0, "limit": 5},
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


def test_rate_pauses_when_there_is_enough_evidence_and_not_before(stocked: Server) -> None:
    rollout = stocked.rollout(2, {"gate": {"min_confirmed": 50, "max_revert_rate": 0.01}})
    update(stocked, 2)
    revert(stocked, 10)
    found = shown(stocked, rollout)
    assert found["status"] == "running"
    assert found["gate"] == (
        "Stage 1: goes on at 50 confirmed, 2 now; pauses when 2 of 3 devices reverted (rate 1 %), 1 now."
    )
    assert found["gate_distance"][1] | {"evidence": 0} == {
        "name": "revert_rate",
        "count": 1,
        "limit": 1,
        "of": 3,
        "rate": 0.01,
        "evidence": 0,
    }
    revert(stocked, 11)
    found = shown(stocked, rollout)
    assert found["status"] == "paused"
    assert "2 of 4 devices offered it reverted, which is too many for a rate of at most 1 %" in found["reason"]


def test_what_was_forgiven_counts_no_longer(stocked: Server) -> None:
    rollout = stocked.rollout(2, {"gate": {"min_confirmed": 50, "max_failure_rate": 0.01}})
    for number in (1, 2):
        revert(stocked, number)
    assert shown(stocked, rollout)["status"] == "paused"
    resumed = stocked.api("POST", f"/products/{keys.PRODUCT}/rollouts/{rollout}/resume")["rollout"]
    assert resumed["status"] == "running"
    assert (resumed["gate_distance"][1]["count"], resumed["gate_distance"][1]["of"]) == (0, 0)
    revert(stocked, 3)
    assert shown(stocked, rollout)["status"] == "running"


@pytest.mark.both_databases
def test_device_that_crashes_counts_once_whatever_it_reports(stocked: Server) -> None:
    rollout = stocked.rollout(2, {"gate": {"min_confirmed": 50, "max_crash_rate": 0.01}})
    update(stocked, 1)
    device = stocked.devices[0]
    crash(device)
    crash(device)
    assert counters(stocked, rollout) == {"offered": 1, "confirmed": 1, "crashed": 1}
    assert shown(stocked, rollout)["status"] == "running"
    update(stocked, 1, first=1)
    crash(stocked.devices[1])
    found = shown(stocked, rollout)
    assert found["status"] == "paused"
    assert "2 of 2 devices offered it crashed" in found["reason"]


def test_crash_of_the_version_before_is_not_the_rollouts(stocked: Server) -> None:
    rollout = stocked.rollout(2, {"gate": {"min_confirmed": 50, "max_crash_rate": 0.01}})
    device = stocked.device()
    device.check_in()
    device.check_in()
    crash(device)
    device.update()
    assert counters(stocked, rollout) == {"offered": 1, "confirmed": 1}


def test_crash_on_trial_counts_beside_the_revert(stocked: Server) -> None:
    rollout = stocked.rollout(2, {"gate": {"min_confirmed": 50, "max_crash_rate": 0.01}})
    device = stocked.device()
    device.check_in()
    device.check_in()
    device.fetch()
    device.boot_staged()
    device.crash()
    device.revert(2)
    device.check_in()
    assert counters(stocked, rollout) == {"offered": 1, "reverted": 1, "crashed": 1}
