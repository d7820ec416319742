# SPDX-License-Identifier: Apache-2.0
"""kill -9 of real processes, amid any of their writes and between them: nothing that was acknowledged is lost."""

from __future__ import annotations

import itertools
import random

import pytest

from ota_server.releases.store import LEASE_MS
from tests.ota_server.chaos.conftest import Bench
from tests.ota_server.chaos.faults import Fault
from tests.ota_server.chaos.process import ServerProcess
from tests.ota_server.chaos.several import Several, Victim
from tests.ota_server.chaos.story import Fleet

NORMAL_KILLS, FULL_KILLS = 4, 250
SOON = 40
"""Steps after which a process is killed at most: fewer than the update of one device takes."""
SOON_OF_ALL = 1500
"""The same where what is told PostgreSQL counts, too."""


@pytest.mark.both_databases
def test_killed_server_has_lost_nothing(bench: Bench[ServerProcess], request: pytest.FixtureRequest) -> None:
    """Every kill is at another write, half of them with half of it done, or from outside, after some step."""
    fleet, server = bench.fleet, bench.server
    wanted = FULL_KILLS if request.config.getoption("--full") else NORMAL_KILLS
    fleet.begin()
    while server.kills < wanted:
        fleet.release()
        while server.kills < wanted and not fleet.is_updated():
            live_until_killed(fleet, fleet.rng.randrange(SOON))
            if server.is_running:
                server.kill()
            bench.assert_sound(is_told=False)
        fleet.finish()
        bench.assert_sound()
        print(f"{server.kills} kills, version {fleet.version}")
    assert "Traceback" not in bench.log()


def test_whoever_of_several_is_killed_nothing_is_lost(several: Bench[Several], request: pytest.FixtureRequest) -> None:
    """Servers, workers, the database and its processes, and what makes patches: one of them, or some at once."""
    fleet, server = several.fleet, several.server
    is_full = bool(request.config.getoption("--full"))
    fleet.begin()
    victims = itertools.cycle(random.Random(2).sample(list(Victim), len(Victim)))
    while (server.killed < FULL_KILLS) if is_full else (not all(server.kills.values())):
        fleet.release()
        while not fleet.is_updated():
            live_until_killed(fleet, fleet.rng.randrange(SOON_OF_ALL))
            server.kill(next(victims))
            several.assert_sound(is_told=False)
        fleet.finish()
        several.assert_sound()
        print(f"{server.killed} kills, version {fleet.version}")
    # Whoever was killed last runs again.
    assert fleet.ask("GET", "/v1/user")
    assert server.stop() == [0] * len(server.processes)
    assert "Traceback" not in several.log()


def live_until_killed(fleet: Fleet, after: int) -> None:
    """Some steps, with a process that is killed amid one of its own, if it comes to that."""
    faults = fleet.server.faults
    # A patch that was being made in a killed process is that process's for a time.
    faults.pass_time(LEASE_MS // 1000)
    faults.arm(Fault.KILL, after)
    for _ in range(fleet.rng.randrange(1, 30)):
        fleet.step()
    faults.disarm()
