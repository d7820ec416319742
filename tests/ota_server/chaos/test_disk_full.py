# SPDX-License-Identifier: Apache-2.0
"""A disk that is full at any of a server's writes: nothing acknowledged is lost, and it goes on when there is space."""

from __future__ import annotations

import pytest

from tests.ota_server.chaos.conftest import Bench
from tests.ota_server.chaos.faults import Fault
from tests.ota_server.chaos.process import ServerProcess

EVERY_NORMALLY = 110
"""The disk is full from one in so many writes on; with --full from each of some hundred."""
STEPS = 20
"""Of devices, until there is space again whatever they met."""


def test_server_goes_on_when_the_disk_is_no_longer_full(
    bench: Bench[ServerProcess], request: pytest.FixtureRequest
) -> None:
    """A release of a version and the update to it, again and again; each time the disk is full at a later write."""
    fleet, server, faults = bench.fleet, bench.server, bench.faults
    server.start()
    fleet.begin()
    every = 1 if request.config.getoption("--full") else EVERY_NORMALLY
    at, refused = 0, -1
    # Until the disk would be full only after all is done.
    while fleet.refusals != refused:
        refused = fleet.refusals
        faults.arm(Fault.FULL, at)
        fleet.release()
        for _ in range(STEPS):
            fleet.step()
        faults.disarm()
        fleet.finish()
        print(f"full at write {at}, {fleet.refusals} refusals")
        at += every
    assert fleet.refusals
    assert server.stop() == 0
    bench.assert_sound()
    assert not list(bench.settings.data_dir.glob("blobs/*/*/.*")), "what was kept half is gone"
    assert "disk is full" in bench.log()
    assert "Traceback" not in bench.log()
