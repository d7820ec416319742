# SPDX-License-Identifier: Apache-2.0
"""What gates do to rollouts: they advance, wait, pause and complete, and the audit log says so."""

from __future__ import annotations

from typing import Any

from tests.ota_server import keys
from tests.ota_server.conftest import Server


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
