# SPDX-License-Identifier: Apache-2.0
"""PostgreSQL ends every connection at once, amid whatever is done, and comes back: the server goes on by itself."""

from __future__ import annotations

import pytest
from sqlalchemy.engine import URL

from tests.ota_server.chaos.conftest import Bench
from tests.ota_server.chaos.process import ServerProcess
from tests.ota_server.conftest import POSTGRESQL
from tests.ota_server.postgresql import PostgreSql

NORMAL_RESTARTS, FULL_RESTARTS = 2, 60


@pytest.mark.parametrize("database_url", [POSTGRESQL], indirect=True)
def test_server_goes_on_when_its_database_is_back(
    bench: Bench[ServerProcess], database_url: URL, postgresql: PostgreSql, request: pytest.FixtureRequest
) -> None:
    fleet, server = bench.fleet, bench.server
    server.start()
    fleet.begin()
    for _ in range(FULL_RESTARTS if request.config.getoption("--full") else NORMAL_RESTARTS):
        fleet.release()
        for _ in range(fleet.rng.randrange(12)):
            fleet.step()
        refused = fleet.refusals
        postgresql.stop()
        for device in fleet.devices:
            fleet.step(device)
        assert fleet.refusals > refused
        postgresql.start()
        fleet.finish()
    assert server.stop() == 0
    assert not server.kills
    bench.assert_sound()
    assert "Traceback" not in bench.log()
