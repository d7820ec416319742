# SPDX-License-Identifier: Apache-2.0
"""A disk that is full at any write, of a server or of its database: nothing acknowledged is lost, and the server goes
on when there is space."""

from __future__ import annotations

import pytest
from sqlalchemy.engine import URL

from tests.ota_server.chaos.conftest import Bench
from tests.ota_server.chaos.faults import Fault
from tests.ota_server.chaos.process import ServerProcess
from tests.ota_server.chaos.several import Supervised
from tests.ota_server.chaos.story import Fleet

EVERY_NORMALLY = 150
"""The disk is full from one in so many writes on; with --full from each of some hundred."""
TIMES_NORMALLY = 3
"""So often the database's disk is full; with --full at everything that it makes longer, or writes."""
STEPS = 20
"""Of devices, until there is space again whatever they met."""
NEVER = 10**9


def test_server_goes_on_when_the_disk_is_no_longer_full(
    bench: Bench[ServerProcess], database_url: URL | None, request: pytest.FixtureRequest
) -> None:
    """A release of a version and the update to it, again and again; each time the disk is full at a later write.

    On PostgreSQL only images, patches and the log are on it.
    """
    fleet, server, faults = bench.fleet, bench.server, bench.faults
    server.start()
    fleet.begin()
    every = 1 if request.config.getoption("--full") else EVERY_NORMALLY
    at, refused = 0, -1
    # Until the disk would be full only after all is done.
    while fleet.refusals != refused:
        refused = fleet.refusals
        live_until_full(fleet, Fault.FULL, at)
        faults.disarm()
        fleet.finish()
        print(f"full at write {at}, {fleet.refusals} refusals")
        at += every
    assert fleet.refusals
    assert server.stop() == 0
    bench.assert_sound()
    assert not list(bench.settings.data_dir.glob("blobs/*/*/.*")), "what was kept half is gone"
    assert ("disk is full" if database_url is None else "No space left on device") in bench.log()
    assert "Traceback" not in bench.log()


@pytest.mark.parametrize(
    "fault", [pytest.param(Fault.GROWTH, marks=pytest.mark.full), Fault.FULL], ids=["longer", "any"]
)
def test_server_goes_on_when_its_database_has_space(
    on_full_disk: Bench[Supervised], request: pytest.FixtureRequest, fault: Fault
) -> None:
    """PostgreSQL refuses what needs space; where that is its own log it ends, and is started again."""
    bench, fleet, faults = on_full_disk, on_full_disk.fleet, on_full_disk.faults
    fleet.begin()
    before = faults.steps
    live_until_full(fleet, fault, NEVER)
    fleet.finish()
    count = faults.steps - before
    faults.disarm()
    every = 1 if request.config.getoption("--full") else max(1, count // TIMES_NORMALLY)
    for at in range(0, count, every):
        live_until_full(fleet, fault, at)
        faults.disarm()
        fleet.finish()
        print(f"full at step {at} of {count}, {fleet.refusals} refusals")
    assert fleet.refusals
    assert bench.server.server.stop() == 0
    assert not bench.server.server.kills
    bench.assert_sound()
    assert "No space left on device" in bench.log()
    assert "Traceback" not in bench.log()


def live_until_full(fleet: Fleet, fault: Fault, after: int) -> None:
    """A release and some steps, with a disk that is full from a write on until some refusals."""
    fleet.server.faults.arm(fault, after)
    fleet.release()
    for _ in range(STEPS):
        fleet.step()
