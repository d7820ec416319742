# SPDX-License-Identifier: Apache-2.0
"""A seeded fleet talks under the sessions that it was given, and its devices can open new ones."""

from __future__ import annotations

import pytest

from muster.fleet.seeded import seeded, seeded_key
from muster.protocol import DeviceIdentity, DeviceSession, Report, open_answer, seal_report
from tests.benchmarks.fleet_seed import FleetSeed, seed_fleet
from tests.ota_server import keys
from tests.ota_server.conftest import Server


@pytest.mark.both_databases
def test_seeded_devices_check_in_and_open_sessions(server: Server) -> None:
    server.product()
    identity = keys.image(1).identity[:8]
    fleet = FleetSeed("test", 3, keys.PRODUCT, identity, 1, server.clock.now_ms(), is_keyed=True)
    seed_fleet(server.services.settings.database, fleet)
    who = seeded("test", 2)
    status, answer = server.post(
        "/device/v1/check-in", seal_report(who.session_id, who.session_key, 1, Report(uptime_s=7))
    )
    assert status == 200
    assert open_answer(who.session_id, who.session_key, 1, answer).offer is None
    shown = server.api("GET", f"/products/{keys.PRODUCT}/devices/{who.device_id.hex()}")
    assert (shown["uptime_s"], shown["status"]) == (7, "active")
    session = DeviceSession(DeviceIdentity(seeded("test", 1).device_id, seeded_key("test", 1), keys.PRODUCT, 6))
    status, answer = server.post("/device/v1/open", session.begin(1, bytes(range(32)), bytes(16)))
    assert status == 200
    session.finish(answer, keys.keyset().content.online_keys)
    assert server.api("GET", f"/products/{keys.PRODUCT}/devices")["meta"]["total_records"] == 3
