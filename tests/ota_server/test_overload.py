# SPDX-License-Identifier: Apache-2.0
"""When there is too much to do devices are told when to come back, and people go on."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace

import pytest

from ota_server.api import device as api
from ota_server.dashboard import live
from ota_server.devices import admission
from tests.ota_server import keys
from tests.ota_server.conftest import CBOR, EMAIL, PASSWORD, HandClock, Server, make_settings, run_server
from tests.ota_server.simulated import SimulatedDevice


@pytest.fixture
def busy(server: Server) -> Iterator[tuple[Server, SimulatedDevice]]:
    """A server whose writer is held up by a job, and a device in a session."""
    server.product()
    device = server.device()
    device.check_in()
    server.client.post("/sign-in", data={"email": EMAIL, "password": PASSWORD})
    gate, began = threading.Event(), threading.Event()

    def work(_connection: object) -> bool:
        began.set()
        return gate.wait(60)

    held = server.services.database.submit(work)
    assert began.wait(60)
    yield server, device
    gate.set()
    assert held.result(60)


def test_devices_are_refused_early_and_people_still_read(
    busy: tuple[Server, SimulatedDevice], monkeypatch: pytest.MonkeyPatch
) -> None:
    server, device = busy
    monkeypatch.setattr(admission, "WAIT_MAX_S", 0.0)
    assert server.post("/device/v1/check-in", device.session.seal(device.state))[0] == 429
    for page in (f"/products/{keys.PRODUCT}", "/products/thermostat/devices", "/health/live"):
        assert server.client.get(page).status_code == 200, page
    assert server.api("GET", f"/products/{keys.PRODUCT}/devices")["devices"]


def test_devices_leave_room_in_the_queue_for_people(
    busy: tuple[Server, SimulatedDevice], monkeypatch: pytest.MonkeyPatch
) -> None:
    server, device = busy
    monkeypatch.setattr(admission, "WAITING_MAX", 3)
    database = server.services.database
    waiting = [database.submit(lambda _connection: None) for _ in range(3)]
    assert server.post("/device/v1/check-in", device.session.seal(device.state))[0] == 429
    waiting.append(database.submit(lambda _connection: None))
    assert not any(one.done() for one in waiting)


def test_refused_devices_get_seconds_of_their_own(tmp_path_factory: pytest.TempPathFactory) -> None:
    settings = replace(make_settings(tmp_path_factory.mktemp("spread") / "server"), check_ins_per_s=2)
    for server in run_server(settings, HandClock()):
        server.product()
        device = server.device()
        device.check_in()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(admission, "WAIT_MAX_S", -1.0)
            told = [
                server.client.post("/device/v1/check-in", content=device.session.seal(device.state), headers=CBOR)
                for _ in range(6)
            ]
        assert [response.status_code for response in told] == [429] * 6
        assert [int(response.headers["retry-after"]) for response in told] == [5, 5, 6, 6, 7, 7]
        assert [response.content for response in told] == [b"\x05", b"\x05", b"\x06", b"\x06", b"\x07", b"\x07"]


def test_a_fleet_that_comes_at_once_is_spread_by_its_answers_and_stays_online(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    settings = replace(make_settings(tmp_path_factory.mktemp("wave") / "server"), check_ins_per_s=1)
    for server in run_server(settings, HandClock()):
        server.product(check_in_interval_s=10)
        devices = [server.device(number) for number in range(12)]
        for device in devices:
            device.check_in()
        told = [device.interval_s for device in devices]
        assert len(set(told)) == len(devices), "each has a second of its own"
        assert min(told) >= 9
        latest = max(told)
        assert latest > 10 * 1.1
        server.clock.advance_s(latest * 2.5 - 1)
        seen = server.seen(devices[told.index(latest)])
        assert seen["online"]


def test_more_check_ins_than_can_be_held_are_answered_at_once(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api, "HELD_MAX", 0)
    server.product()
    device = server.device()
    device.check_in()
    device.check_in()
    device.check_in(hold_s=25)
    assert server.services.device_measures.held == 0


def test_an_account_has_so_many_live_pages(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    server.product()
    server.client.post("/sign-in", data={"email": EMAIL, "password": PASSWORD})
    monkeypatch.setattr(live, "PAGES_OF_ONE_MAX", 0)
    for path in (f"/products/{keys.PRODUCT}", "/organizations/warm-rooms"):
        refused = server.client.get(f"{path}/live/overview")
        assert refused.status_code == 429
        assert "does not change by itself" in refused.text


def test_a_bucket_that_hangs_holds_up_devices_and_not_people(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    server.product()
    gate, reading = threading.Event(), threading.Semaphore(0)

    def hang(_digest: bytes) -> bytes | None:
        reading.release()
        gate.wait(60)
        return None

    monkeypatch.setattr(server.services.jobs.served, "get", hang)
    fetching = [
        threading.Thread(target=server.client.get, args=(f"/device/v1/patches/{number:064x}",)) for number in range(40)
    ]
    for thread in fetching:
        thread.start()
    for _ in range(api.FETCHERS):
        assert reading.acquire(timeout=60)
    try:
        assert server.client.get("/sign-in").status_code == 200
        assert server.client.get("/health/ready").json()["ready"]
        assert server.api("GET", f"/products/{keys.PRODUCT}/devices")["devices"] == []
        assert not reading.acquire(blocking=False)
    finally:
        gate.set()
        for thread in fetching:
            thread.join()
