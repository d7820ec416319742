# SPDX-License-Identifier: Apache-2.0
"""The pages of one device: its timeline, its log, what can be tried on it, and what people say of it."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from muster.protocol import LogLevel, VariableType
from ota_server.telemetry import store as telemetry
from ota_server.telemetry.models import LogEntry
from tests.ota_server import keys
from tests.ota_server.conftest import HandClock, Server, make_settings, run_server
from tests.ota_server.dashboard.test_pages import HOME, form_token, sign_in

PRODUCT = f"/products/{keys.PRODUCT}"


def region(page: str, name: str) -> str:
    found = re.search(rf'<div id="{name}">(.*?)</div>', page, re.DOTALL)
    assert found is not None
    return found.group(1)


@pytest.mark.both_databases
def test_timeline_has_everything_newest_first_by_kinds_and_pages(photons: Server) -> None:
    device = photons.device()
    path = f"{HOME}/devices/{device.device_id.hex()}"
    device.check_in()
    device.log("fan stands", LogLevel.ERROR)
    device.publish("sensor/fan", "<b>0</b>")
    device.check_in()
    photons.rollout(2)
    photons.clock.advance_s(60)
    device.check_in()
    device.fetch()
    photons.clock.advance_s(120)
    device.boot_staged()
    device.update()
    photons.clock.advance_s(1)
    photons.api("PUT", f"{PRODUCT}/devices/{device.device_id.hex()}", json={"name": "porch"})
    photons.clock.advance_s(1)
    for _ in range(2):
        photons.api("PUT", f"{PRODUCT}/devices/{device.device_id.hex()}/watch", json={"seconds": 60})
    client = sign_in(photons)
    lines = region(client.get(path).text, "device-timeline")
    told = ["watched it.", "set name = porch", "Attempt 1 confirmed", "offered version 2", "&lt;b&gt;0", "fan stands"]
    assert sorted(told, key=lines.index) == told
    assert "2 times" in lines
    assert re.search(r"[\d,]+ bytes, 2 min after its offer", lines)
    for kind, shown, hidden in (
        ("updates", "offered version 2", "sensor/fan"),
        ("starts", "Runs version 1.", "offered version 2"),
        ("changes", "watched it.", "Runs version"),
        ("events", "sensor/fan", "fan stands"),
        ("log", "fan stands", "sensor/fan"),
    ):
        lines = region(client.get(f"{path}?kind={kind}").text, "device-timeline")
        assert shown in lines, kind
        assert hidden not in lines, kind
    photons.clock.advance_s(1)
    now_ms = photons.clock.now_ms()
    more = [LogEntry(now_ms, LogLevel.INFO, f"line {number}") for number in range(60)]
    photons.services.database.write(lambda connection: telemetry.add_logs(connection, 1, more))
    page, seen = client.get(path).text, []
    assert "data-live=" in page
    while True:
        seen += re.findall(r"<span>(line \d+|.*watched it\.|Runs version 1\.)", region(page, "device-timeline"))
        older = re.search(r'<a href="(\?[^"]*)">Older</a>', page)
        if older is None:
            break
        page = client.get(path + older.group(1)).text
        assert "data-live=" not in page
    assert seen[:60] == [f"line {number}" for number in reversed(range(60))]
    assert len(seen) == 62


def test_log_beside_it_takes_a_level_and_pauses(photons: Server) -> None:
    device = photons.device()
    for level, text in ((LogLevel.INFO, "fine"), (LogLevel.ERROR, "broken")):
        device.log(text, level)
        device.check_in()
    client, path = sign_in(photons), f"{HOME}/devices/{device.device_id.hex()}"
    log = region(client.get(f"{path}?level=warning").text, "device-log")
    assert "broken" in log
    assert "fine" not in log
    assert 'href="' + path + '?live=off"' in client.get(path).text
    assert "data-live=" not in client.get(f"{path}?live=off").text
    for wrong in ("kind=dreams", "level=loud", "before=x"):
        assert client.get(f"{path}?{wrong}").status_code == 400


def test_function_is_called_and_variable_read_on_the_page(photons: Server) -> None:
    device = photons.device()
    device.functions = {"set": lambda argument: len(argument)}
    device.variables = {"mode": (VariableType.TEXT, "<i>éco</i>")}
    for _ in range(2):
        device.check_in()
    client, path = sign_in(photons), f"{HOME}/devices/{device.device_id.hex()}"
    token = form_token(client.get(path).text)
    with ThreadPoolExecutor(1) as pool:
        for fields, said in (
            ({"kind": "function", "name": "set", "argument": "on!"}, '<b class="mono">3</b>'),
            ({"kind": "variable", "name": "mode"}, '<b class="mono">&#34;&lt;i&gt;éco&lt;/i&gt;&#34;</b>'),
        ):
            asked = pool.submit(client.post, f"{path}/call", data={"form_token": token, **fields})
            while not asked.done():
                device.check_in(hold_s=1)
            assert said in asked.result().text
    assert "called set." in client.get(f"{path}?kind=changes").text
    photons.clock.advance_s(3600)
    offline = client.post(f"{path}/call", data={"form_token": token, "kind": "function", "name": "set"})
    assert offline.status_code == 404
    assert "is offline" in offline.text


def test_device_that_does_not_answer_is_said_to(tmp_path: Path, clock: HandClock) -> None:
    for server in run_server(replace(make_settings(tmp_path / "server"), call_timeout_s=0.05), clock):
        server.product()
        device = server.device()
        device.functions = {"set": lambda argument: len(argument)}
        for _ in range(2):
            device.check_in()
        client, path = sign_in(server), f"{HOME}/devices/{device.device_id.hex()}"
        fields = {"form_token": form_token(client.get(path).text), "kind": "function", "name": "set"}
        answer = client.post(f"{path}/call", data=fields)
        assert answer.status_code == 408
        assert "the device did not answer in time" in answer.text


def test_what_people_say_of_a_device_is_edited(photons: Server) -> None:
    device, other = photons.device(1), photons.device(2)
    for one in (device, other):
        one.check_in()
    photons.api("PUT", f"{PRODUCT}/devices/{other.device_id.hex()}", json={"serial_number": "S-1"})
    client, path = sign_in(photons), f"{HOME}/devices/{device.device_id.hex()}"
    token = form_token(client.get(f"{path}/edit").text)
    typed = {
        "form_token": token,
        "name": "<b>porch</b>",
        "notes": "one\r\ntwo",
        "serial_number": "S-2",
        "time_zone": "Europe/Madrid",
        "groups": "beta  new",
        "tags": "out indoor",
        "country": "de",
    }
    page = client.post(f"{path}/edit", data=typed).text
    assert "<h1>&lt;b&gt;porch&lt;/b&gt;</h1>" in page
    seen = photons.seen(device)
    assert (seen["notes"], seen["serial_number"], seen["groups"]) == ("one\ntwo", "S-2", ["beta", "new"])
    assert (seen["tags"], seen["country"], seen["time_zone"]) == (["indoor", "out"], "DE", "Europe/Madrid")
    for name, wrong in {
        "serial_number": "S-1",
        "time_zone": "Mars",
        "groups": "A",
        "tags": "ü",
        "country": "D",
        "name": 101 * "x",
    }.items():
        answer = client.post(f"{path}/edit", data={**typed, "form_token": token, name: wrong})
        assert answer.status_code == 400, name
        assert f'value="{wrong}"' in answer.text
        if name != "serial_number":
            assert f'id="{name}-error"' in answer.text
    assert photons.seen(device)["serial_number"] == "S-2"
    client.post(f"{path}/edit", data={"form_token": token, "serial_number": "", "groups": ""})
    assert (photons.seen(device)["serial_number"], photons.seen(device)["groups"]) == (None, [])
