# SPDX-License-Identifier: Apache-2.0
"""Functions are called and variables read on devices, each once, whatever is lost."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from muster.protocol import Report, VariableType
from ota_server.calls.models import CallKind
from ota_server.calls.service import WAITING_MAX
from ota_server.devices import store
from tests.ota_server import keys
from tests.ota_server.conftest import HandClock, Server, make_settings, run_server
from tests.ota_server.simulated import Lost, SimulatedDevice

pytestmark = pytest.mark.both_databases

PATH = f"/products/{keys.PRODUCT}/devices"


class Caller:
    """Makes requests while the test plays the device."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._pool = ThreadPoolExecutor(WAITING_MAX)

    def ask(self, method: str, path: str, **arguments: Any) -> Future[Any]:
        headers = {"authorization": f"Bearer {self._server.token}"}
        return self._pool.submit(self._server.client.request, method, f"/v1{path}", headers=headers, **arguments)

    def call(self, device: SimulatedDevice, function: str, **arguments: Any) -> Future[Any]:
        return self.ask("POST", f"{PATH}/{device.device_id.hex()}/{function}", **arguments)

    def read(self, device: SimulatedDevice, variable: str, **arguments: Any) -> Future[Any]:
        return self.ask("GET", f"{PATH}/{device.device_id.hex()}/{variable}", **arguments)

    def close(self) -> None:
        self._pool.shutdown()


@pytest.fixture
def caller(server: Server) -> Iterator[Caller]:
    server.product()
    made = Caller(server)
    yield made
    made.close()


def lamp(server: Server, number: int = 1) -> SimulatedDevice:
    """A device with functions and variables that has checked in twice."""
    device = server.device(number)
    device.functions = {"set": lambda argument: len(argument), "fail": lambda _argument: -1}
    device.variables = {
        "count": (VariableType.INT, -7),
        "level": (VariableType.DOUBLE, 0.5),
        "broken": (VariableType.DOUBLE, float("nan")),
        "name": (VariableType.TEXT, "k\u00fcche"),
        "is_on": (VariableType.BOOL, 1),
    }
    device.check_in()
    device.check_in()
    return device


def noting(called: list[str], value: int) -> Callable[[str], int]:
    """A function that keeps its arguments."""

    def function(argument: str) -> int:
        called.append(argument)
        return value

    return function


def serve(device: SimulatedDevice, *asked: Future[Any]) -> list[Any]:
    """Lets the device hold the line until everybody has an answer."""
    while not all(one.done() for one in asked):
        device.check_in(hold_s=1)
    return [one.result() for one in asked]


def test_device_tells_what_can_be_used_on_it(server: Server, caller: Caller) -> None:
    device = lamp(server)
    seen = server.seen(device)
    assert seen["functions"] == ["set", "fail"]
    assert seen["variables"] == {
        "count": "int32",
        "level": "double",
        "broken": "double",
        "name": "string",
        "is_on": "bool",
    }
    device.functions = {}
    device.variables = {}
    device.cut()
    device.check_in()
    assert (server.seen(device)["functions"], server.seen(device)["variables"]) == ([], {})


@pytest.mark.parametrize("body", [{"json": {"arg": "on"}}, {"json": {"args": "on"}}, {"data": {"args": "on"}}])
def test_function_is_called(server: Server, caller: Caller, body: Any) -> None:
    device = lamp(server)
    [response] = serve(device, caller.call(device, "set", **body))
    assert response.status_code == 200
    assert response.json() == {
        "id": device.device_id.hex(),
        "name": "",
        "connected": True,
        "return_value": 2,
    }


def test_held_check_in_is_answered_by_the_call(server: Server, caller: Caller) -> None:
    device = lamp(server)
    called: list[str] = []
    device.functions["set"] = noting(called, 1)
    server.api("PUT", f"{PATH}/{device.device_id.hex()}/watch", json={"seconds": 60})
    device.check_in()
    assert device.hold_s == 25
    asked = caller.call(device, "set", json={"arg": "now"})
    while not called:
        answer = device.check_in()
    assert [call.argument for call in answer.calls] == ["now"]
    device.check_in(hold_s=0)
    assert asked.result().json()["return_value"] == 1


@pytest.mark.parametrize(
    ("name", "value", "raw"),
    [
        ("count", -7, "-7"),
        ("level", 0.5, "0.5"),
        ("broken", None, "null"),
        ("name", "k\u00fcche", "k\u00fcche"),
        ("is_on", True, "true"),
    ],
)
def test_variable_is_read(server: Server, caller: Caller, name: str, value: object, raw: str) -> None:
    device = lamp(server)
    told, plain = serve(device, caller.read(device, name), caller.read(device, name, params={"format": "raw"}))
    assert told.json()["result"] == value
    assert told.json()["name"] == name
    assert told.json()["coreInfo"]["deviceID"] == device.device_id.hex()
    assert told.json()["coreInfo"]["connected"] is True
    assert plain.text == raw


def test_two_callers_get_their_own_answers(server: Server, caller: Caller) -> None:
    device = lamp(server)
    asked = [caller.call(device, "set", json={"arg": "x" * number}) for number in range(6)]
    reading = caller.read(device, "count")
    *told, read = serve(device, *asked, reading)
    assert [one.json()["return_value"] for one in told] == [0, 1, 2, 3, 4, 5]
    assert read.json()["result"] == -7


def test_longest_arguments_do_not_burst_an_answer(server: Server, caller: Caller) -> None:
    device = lamp(server)
    told = serve(device, *(caller.call(device, "set", json={"arg": "x" * 622}) for _ in range(3)))
    assert [one.json()["return_value"] for one in told] == [622] * 3
    [refused] = serve(device, caller.call(device, "set", json={"arg": "x" * 623}))
    assert (refused.status_code, refused.json()["field"]) == (400, "arg")
    [refused] = serve(device, caller.call(device, "set", content=b'{"arg": "\\ud800"}'))
    assert refused.status_code == 400


def test_call_is_done_once_though_the_answer_to_its_result_is_lost(server: Server, caller: Caller) -> None:
    device = lamp(server)
    called: list[str] = []
    device.functions["set"] = noting(called, 5)
    post, losing = device.post, True

    def lossy(path: str, body: bytes) -> tuple[int, bytes]:
        answer = post(path, body)
        if called and losing:
            raise Lost
        return answer

    device.post = lossy
    asked = caller.call(device, "set", json={"arg": "once"})
    while not called:
        device.check_in(hold_s=1)
    for _ in range(3):
        with pytest.raises(Lost):
            device.check_in()
    assert asked.result().json()["return_value"] == 5
    losing = False
    device.check_in()
    assert called == ["once"]
    assert device.report().results == ()


def test_nobody_else_can_answer_a_call(server: Server, caller: Caller) -> None:
    device, other = lamp(server), lamp(server, 2)
    called: list[str] = []
    device.functions["set"] = noting(called, 5)
    asked = caller.call(device, "set", json={"arg": ""})
    while not called:
        device.check_in(hold_s=1)
    other.results = dict.fromkeys(device.results, 666)
    server.api("PUT", f"{PATH}/{other.device_id.hex()}/watch", json={"seconds": 60})
    other.check_in()
    device.check_in()
    assert asked.result().json()["return_value"] == 5


def test_caller_of_a_silent_device_gets_particles_time_out(tmp_path: Path, clock: HandClock) -> None:
    settings = replace(make_settings(tmp_path / "server"), call_timeout_s=0.05)
    for server in run_server(settings, clock):
        server.product()
        device = lamp(server)
        path = f"{PATH}/{device.device_id.hex()}"
        for answer in (server.api("POST", f"{path}/set", 408), server.api("GET", f"{path}/count", 408)):
            assert (answer["ok"], answer["error"]) == (False, "Timed out.")
        device.check_in()
        assert device.results == {}, "nobody waits for it any more"


def test_restart_of_the_server_leaves_no_call_behind(tmp_path: Path, clock: HandClock) -> None:
    settings = make_settings(tmp_path / "server")
    for server in run_server(settings, clock):
        server.product()
        device, token, calls = lamp(server), server.token, server.services.calls
        database = server.services.database
        with database.read() as connection:
            [row] = store.with_id(connection, device.device_id.hex())
        # Its caller is gone with the server.
        database.write(partial(calls.begin, device=row, kind=CallKind.FUNCTION, name="set", argument="", now_ms=0))
    for server in run_server(settings, clock, token):
        device.post, device.get = server.post, server.get
        server.services.jobs.forgetter.work_off()
        with server.services.database.read() as connection:
            assert connection.exec_driver_sql("SELECT count(*) FROM calls").scalar() == 0
        device.check_in()
        assert device.results == {}


def test_offline_unknown_and_untrusted_devices_are_not_found(server: Server, caller: Caller, clock: HandClock) -> None:
    device = lamp(server)
    path = f"{PATH}/{device.device_id.hex()}"
    assert "no function nothing" in server.api("POST", f"{path}/nothing", 404)["error_description"]
    assert "no variable set" in server.api("GET", f"{path}/set", 404)["error_description"]
    server.api("GET", f"{PATH}/{'0' * 24}/count", 404)
    clock.advance_s(10_000)
    assert "offline" in server.api("POST", f"{path}/set", 404)["error_description"]
    device.check_in()
    server.api("DELETE", path, 204, json={"deny": True})
    assert "offline" in server.api("GET", f"{path}/count", 404)["error_description"]


def test_waiting_calls_of_a_device_are_bounded(tmp_path: Path, clock: HandClock) -> None:
    for server in run_server(make_settings(tmp_path / "server"), clock):
        server.product()
        device = lamp(server)
        made = Caller(server)
        asked = [made.call(device, "set") for _ in range(WAITING_MAX)]
        row = server.services.database
        waiting = 0
        while waiting < WAITING_MAX:
            with row.read() as connection:
                waiting = connection.exec_driver_sql("SELECT count(*) FROM calls").scalar_one()
        assert server.api("POST", f"{PATH}/{device.device_id.hex()}/set", 429)["code"] == "too_many_requests"
        serve(device, *asked)
        made.close()


def test_device_is_watched_for_a_while_after_a_call(tmp_path: Path, clock: HandClock) -> None:
    for server in run_server(replace(make_settings(tmp_path / "server"), hold_max_s=0.05), clock):
        server.product()
        device, caller = lamp(server), Caller(server)
        interval_s = device.interval_s
        serve(device, caller.call(device, "set"))
        caller.close()
        device.check_in()
        assert (device.hold_s, device.interval_s) == (25, 1)
        clock.advance_s(26)
        assert server.seen(device)["online"], "it may be held for 25 s"
        clock.advance_s(700)
        device.check_in()
        assert (device.hold_s, device.interval_s) == (None, interval_s)
        device.check_in()
        assert server.seen(device)["watched_until"] is None


def test_watch_is_ended_though_the_word_is_lost(server: Server, caller: Caller, clock: HandClock) -> None:
    device = lamp(server)
    path = f"{PATH}/{device.device_id.hex()}/watch"
    server.api("PUT", path, json={"seconds": 60})
    device.check_in()
    server.api("PUT", path, json={"seconds": 0})
    for _ in range(2):
        status, _ = device.post("/device/v1/check-in", device.session.seal(device.state, Report(hold_s=25)))
        assert status == 200
    device.session.drop()
    device.check_in()
    assert device.hold_s is None
    server.api("PUT", path, 400, json={"seconds": -1})


def test_device_of_the_account_is_called_without_its_product(server: Server, caller: Caller) -> None:
    device = lamp(server)
    path = f"/devices/{device.device_id.hex()}"
    told, read = serve(
        device, caller.ask("POST", f"{path}/set", json={"arg": "ab"}), caller.ask("GET", f"{path}/count")
    )
    assert told.json()["return_value"] == 2
    assert read.json()["result"] == -7


def test_calls_are_audited_without_their_arguments(server: Server, caller: Caller) -> None:
    device = lamp(server)
    serve(device, caller.call(device, "set", json={"arg": "a secret"}))
    [line] = server.api("GET", "/orgs/warm-rooms/audit", params={"action": "device.call"})["audit"]
    assert (line["subject"], line["detail"]) == (device.device_id.hex(), "set")


@pytest.mark.parametrize("body", [{"json": {"signal": "1"}}, {"data": {"signal": "1"}}, {"json": {"signal": 1}}])
@pytest.mark.parametrize("path", [PATH, "/devices"])
def test_device_shows_itself(server: Server, caller: Caller, path: str, body: Any) -> None:
    device = lamp(server)
    own = f"{path}/{device.device_id.hex()}"
    [response] = serve(device, caller.ask("PUT", own, **body))
    shown = [device.is_signalling]
    assert response.status_code == 200
    assert response.json() == {"id": device.device_id.hex(), "connected": True, "signaling": True}
    [response] = serve(device, caller.ask("PUT", own, json={"signal": "0"}))
    assert response.json()["signaling"] is False
    assert [*shown, device.is_signalling] == [True, False]
    lines = server.api("GET", "/orgs/warm-rooms/audit", params={"action": "device.signal"})["audit"]
    assert [(line["subject"], line["detail"]) for line in lines] == [(device.device_id.hex(), on) for on in "01"]


def test_signals_are_given_one_after_another(server: Server, caller: Caller) -> None:
    device = lamp(server)
    own = f"{PATH}/{device.device_id.hex()}"
    asked = [caller.ask("PUT", own, json={"signal": "1"}) for _ in range(3)]
    told = serve(device, *asked, caller.call(device, "set", json={"arg": "on"}))
    assert [one.status_code for one in told] == [200] * 4
    assert device.is_signalling


@pytest.mark.parametrize("body", [{"signal": "2"}, {"signal": "1", "name": "lamp"}, {"signal": []}, {"signal": ""}])
@pytest.mark.parametrize("path", [PATH, "/devices"])
def test_signal_that_is_none_is_refused(server: Server, caller: Caller, path: str, body: Any) -> None:
    device = lamp(server)
    answer = server.api("PUT", f"{path}/{device.device_id.hex()}", 400, json=body)
    assert answer["field"].startswith("signal")


def test_signal_to_a_silent_device_times_out(tmp_path: Path, clock: HandClock) -> None:
    for server in run_server(replace(make_settings(tmp_path / "server"), call_timeout_s=0.05), clock):
        server.product()
        path = f"{PATH}/{lamp(server).device_id.hex()}"
        assert server.api("PUT", path, 408, json={"signal": "1"})["error"] == "Timed out."
        clock.advance_s(10_000)
        assert "offline" in server.api("PUT", path, 404, json={"signal": "1"})["error_description"]
