# SPDX-License-Identifier: Apache-2.0
"""A simulated device is started by a button, speaks the protocol of devices, and ends by a button or a removal."""

from __future__ import annotations

from tests.ota_server import keys
from tests.ota_server.conftest import EMAIL, PASSWORD
from tests.ota_server.dashboard.conftest import ListeningServer
from tests.ota_server.dashboard.forms import form_of
from tests.ota_server.dashboard.test_pages import HOME

PATH = f"/products/{keys.PRODUCT}"
LOOKS_MAX = 3000


def press(live: ListeningServer, answer: str) -> str:
    """Presses the button on the page where devices are added; what the page says then."""
    form = form_of(live.client.get(f"{HOME}/devices/add").text, "/simulated")
    live.client.post(form.action, data=form.fields | {"answer": answer})
    return live.client.get(f"{HOME}/devices/add").text


def test_simulated_device_reports_in_and_is_stopped(live: ListeningServer) -> None:
    live.client.follow_redirects = True
    live.client.post("/sign-in", data={"email": EMAIL, "password": PASSWORD})
    live.api("PUT", PATH, json={"product": {"check_in_interval_s": 1, "auto_approve": False}})
    assert "Start a simulated device" in live.client.get(HOME).text
    assert "It runs now" in press(live, "start")
    (device,) = live.api("GET", f"{PATH}/devices")["devices"]
    path = f"{PATH}/devices/{device['id']}"
    for _ in range(LOOKS_MAX):
        if live.api("GET", path)["firmware_version"] in (1, 2):
            break
    seen = live.api("GET", path)
    assert (seen["name"], seen["status"], seen["tags"]) == ("Simulated device", "active", ["simulated"])
    assert seen["firmware_version"] in (1, 2)
    assert "It runs now" not in press(live, "stop")

    press(live, "start")
    assert [one["id"] for one in live.api("GET", f"{PATH}/devices")["devices"]] == [device["id"]]
    live.api("DELETE", path, 204)
    for _ in range(LOOKS_MAX):
        if "It runs now" not in live.client.get(f"{HOME}/devices/add").text:
            break
    assert "It runs now" not in live.client.get(f"{HOME}/devices/add").text
    assert live.api("GET", f"{PATH}/devices")["devices"] == []
