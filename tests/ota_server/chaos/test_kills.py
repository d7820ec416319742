# SPDX-License-Identifier: Apache-2.0
"""kill -9 of a real server, amid any of its writes and between them: nothing that it acknowledged is lost."""

from __future__ import annotations

import pytest

from ota_server.releases.store import LEASE_MS
from tests.ota_server.chaos.conftest import Bench
from tests.ota_server.chaos.faults import Fault

NORMAL_KILLS, FULL_KILLS = 4, 250
SOON = 40
"""Writes after which a process is killed at most: fewer than the update of one device takes."""


@pytest.mark.both_databases
def test_killed_server_has_lost_nothing(bench: Bench, request: pytest.FixtureRequest) -> None:
    """Every kill is at another write, half of them with half of it done, or from outside, after some step."""
    fleet, server, faults = bench.fleet, bench.server, bench.faults
    wanted = FULL_KILLS if request.config.getoption("--full") else NORMAL_KILLS
    fleet.begin()
    while server.kills < wanted:
        fleet.release()
        while server.kills < wanted and not fleet.is_updated():
            # A patch that was being made in a killed process is that process's for a time.
            faults.pass_time(LEASE_MS // 1000)
            faults.arm(Fault.KILL, fleet.rng.randrange(SOON))
            for _ in range(fleet.rng.randrange(1, 30)):
                fleet.step()
            faults.disarm()
            if server.is_running:
                server.kill()
        fleet.finish()
        bench.assert_sound()
        print(f"{server.kills} kills, version {fleet.version}")
    assert "Traceback" not in bench.log()
