# SPDX-License-Identifier: Apache-2.0
"""A rollout that is started begins when its schedule says."""

from __future__ import annotations

from typing import Any

import pytest

from ota_server.times import rfc3339
from tests.ota_server import keys
from tests.ota_server.conftest import Server

ROLLOUTS = f"/products/{keys.PRODUCT}/rollouts"
STAGES = [{"percent": 100, "gate": {"min_confirmed": 1}}]


def make(server: Server, version: int = 2, **schedule: Any) -> str:
    """Makes a rollout, starts it, and returns its path."""
    body = {"version": version, "stages": STAGES, "schedule": schedule}
    made = server.api("POST", ROLLOUTS, 201, json=body)
    path = f"{ROLLOUTS}/{made['rollout']['id']}"
    server.api("POST", f"{path}/start")
    return path


def status(server: Server, path: str) -> str:
    server.services.jobs.timekeeper.work_off()
    return str(server.api("GET", path)["rollout"]["status"])


@pytest.mark.both_databases
def test_rollout_begins_at_its_time_and_offers_nothing_before(stocked: Server) -> None:
    device = stocked.device()
    path = make(stocked, start_at=rfc3339(stocked.clock.now_ms() + 3_600_000))
    assert status(stocked, path) == "scheduled"
    stocked.services.jobs.patcher.work_off()
    assert device.check_in().offer is None
    stocked.clock.advance_s(3599)
    assert status(stocked, path) == "scheduled"
    stocked.clock.advance_s(1)
    assert status(stocked, path) == "running"
    stocked.services.jobs.patcher.work_off()
    assert device.check_in().offer is not None


def test_start_is_taken_back_moved_and_brought_forward(stocked: Server) -> None:
    path = make(stocked, start_at=rfc3339(stocked.clock.now_ms() + 3_600_000))
    assert stocked.api("POST", f"{path}/cancel")["rollout"]["status"] == "draft"
    stocked.api("POST", f"{path}/cancel", 409)
    stocked.clock.advance_s(7200)
    assert status(stocked, path) == "draft"
    later = {"start_at": rfc3339(stocked.clock.now_ms() + 3_600_000), "per_minute": 5}
    assert stocked.api("PUT", f"{path}/schedule", json={"schedule": later})["rollout"]["schedule"] == later
    assert stocked.api("POST", f"{path}/start")["rollout"]["status"] == "scheduled"
    stocked.api("POST", f"{path}/start", 409)
    assert stocked.api("PUT", f"{path}/schedule", json={"schedule": {}})["rollout"]["status"] == "running"


def test_aborted_rollout_does_not_begin(stocked: Server) -> None:
    path = make(stocked, start_at=rfc3339(stocked.clock.now_ms() + 1000))
    stocked.api("POST", f"{path}/abort")
    stocked.clock.advance_s(1)
    stocked.api("PUT", f"{path}/schedule", 409, json={"schedule": {}})
    assert status(stocked, path) == "aborted"


def test_schedule_that_is_not_legal_names_its_field(stocked: Server) -> None:
    body = {"version": 2, "stages": STAGES, "schedule": {"per_minute": 0}}
    assert stocked.api("POST", ROLLOUTS, 400, json=body)["field"] == "per_minute"
