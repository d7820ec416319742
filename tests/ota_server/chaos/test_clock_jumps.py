# SPDX-License-Identifier: Apache-2.0
"""A clock that jumps a year ahead and back, or back and ahead: nothing is lost, and all goes on by itself."""

from __future__ import annotations

import pytest

from ota_server.check import check
from tests.ota_server import keys
from tests.ota_server.conftest import EMAIL, PASSWORD, Server

YEAR_S = 365 * 24 * 3600
HOUR_S = 3600
SOAK_S = 7 * 24 * 3600


def pass_time(server: Server) -> None:
    """Everything that time alone brings about is done."""
    services = server.services
    for worker in (
        services.jobs.timekeeper,
        services.jobs.presence,
        services.jobs.courier,
        services.jobs.postman,
        services.jobs.patcher,
    ):
        worker.work_off()
    services.jobs.forgetter.work_off()


def live(server: Server, hours: int = 2) -> None:
    for _ in range(hours):
        for device in server.devices:
            device.check_in()
        server.clock.advance_s(HOUR_S)
        pass_time(server)


@pytest.mark.parametrize("jump_s", [YEAR_S, -YEAR_S])
def test_fleet_lives_through_a_jump_and_the_way_back(stocked: Server, jump_s: int) -> None:
    server = stocked
    devices = [server.device(number) for number in range(3)]
    rollout = server.rollout(2, {"percent": 100, "gate": {"min_confirmed": 1, "soak_s": SOAK_S}})
    devices[0].log("before the jump")
    live(server)
    devices[1].update()
    sessions = [device.session.keys for device in devices[:1]]
    for jumped_s in (jump_s, -jump_s):
        server.clock.advance_s(jumped_s)
        pass_time(server)
        devices[2].log(f"after a jump of {jumped_s} s")
        live(server)
        assert server.show(rollout)["rollout"]["status"] == "running", "no soak is over because a clock jumped"
    assert [device.session.keys for device in devices[:1]] == sessions
    for device in devices:
        device.update()
    texts = [line["text"] for device in devices for line in server.seen(device)["logs"]]
    assert sorted(texts) == sorted(["before the jump", f"after a jump of {jump_s} s", f"after a jump of {-jump_s} s"])
    for _ in range(SOAK_S // HOUR_S):
        server.clock.advance_s(HOUR_S)
        server.services.jobs.timekeeper.work_off()
    assert server.show(rollout)["rollout"]["status"] == "completed"
    services = server.services
    with services.database.read() as connection:
        assert check(connection, services.jobs.kept, services.jobs.served) == []


@pytest.mark.parametrize("jump_s", [YEAR_S, -YEAR_S])
def test_devices_go_offline_after_a_jump_and_the_way_back(stocked: Server, jump_s: int) -> None:
    server, device = stocked, stocked.device()
    for jumped_s in (0, jump_s, -jump_s):
        server.clock.advance_s(jumped_s)
        pass_time(server)
        device.check_in()
        assert server.seen(device)["online"]
        server.clock.advance_s(HOUR_S)
        pass_time(server)
        assert not server.seen(device)["online"]
    events = server.api("GET", f"/products/{keys.PRODUCT}/devices/{device.device_id.hex()}")["events"]
    assert [event["data"] for event in events if event["name"] == "spark/status"].count("offline") == 3


@pytest.mark.parametrize("jump_s", [YEAR_S, -YEAR_S])
def test_tokens_outlive_a_jump_and_the_way_back(server: Server, jump_s: int) -> None:
    made = server.api("POST", "/access_tokens", 201, json={"label": "ci", "expires_in": 30 * 24 * 3600})
    server.clock.advance_s(jump_s)
    sign_in = {"email": EMAIL, "password": PASSWORD}
    assert server.client.post("/sign-in", data=sign_in, follow_redirects=False).status_code == 303
    pass_time(server)
    server.clock.advance_s(-jump_s)
    assert server.whoami(made["token"])
