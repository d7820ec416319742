# SPDX-License-Identifier: Apache-2.0
"""A product's log by its filters, as CSV, and its errors in groups."""

from __future__ import annotations

import re
from urllib.parse import unquote

from muster.protocol import LogLevel
from ota_server.telemetry.errors import reason_of
from tests.ota_server import keys
from tests.ota_server.conftest import Server
from tests.ota_server.dashboard.test_pages import HOME, sign_in


def test_errors_are_grouped_by_reason_and_version(photons: Server) -> None:
    for number in (1, 2, 3):
        device = photons.device(number)
        device.log(f"sensor {number} is stuck at 0x{number}f", level=LogLevel.ERROR)
        if number == 1:
            device.log("no <b>water</b>", level=LogLevel.ERROR)
        device.log("all is well")
        while device.unsent_logs:
            device.check_in()
    client = sign_in(photons)
    page = client.get(f"{HOME}/errors").text
    assert re.findall(r"<h1>([^<]*)", page) == ["4 errors in 30 days, of 2 kinds"]
    assert "sensor # is stuck at #" in page
    assert "no &lt;b&gt;water&lt;/b&gt;" in page
    rows = re.findall(r'data-label="Devices">(\d+)<', page)
    assert rows == ["3", "1"]
    link = re.search(r'href="([^"]*text=is%20stuck%20at[^"]*)"', page)
    assert link is not None
    shown = client.get(unquote(link.group(1).replace("&amp;", "&"))).text
    assert shown.count("is stuck at") >= 3
    assert "water" not in shown.split('id="log-entries"')[1]


def test_product_without_errors_says_what_would_be_here(photons: Server) -> None:
    page = sign_in(photons).get(f"{HOME}/errors").text
    assert "No errors in 30 days" in page
    assert 'class="empty"' in page


def test_log_is_filtered_by_day_and_exported(photons: Server) -> None:
    device = photons.device()
    device.log("good morning")
    device.check_in()
    client = sign_in(photons)
    assert "good morning" in client.get(f"{HOME}/log?since=2027-01-15&until=2027-01-15").text
    assert "good morning" not in client.get(f"{HOME}/log?until=2027-01-14").text
    assert client.get(f"{HOME}/log?since=today").status_code == 400
    page = client.get(f"{HOME}/log?kind=log").text
    assert f'href="{HOME}/log.csv?kind=log&amp;level=debug"' in page
    lines = client.get(f"{HOME}/log.csv?kind=log").text.splitlines()
    assert len(lines) == 2
    assert "good morning" in lines[1]


def test_numbers_do_not_tell_reasons_apart() -> None:
    assert reason_of("at 0x08020f12, 17 times") == "at #, # times"
    assert reason_of("Crashed after 40 s: reason 12, pc 0x80") == "Crashed after # s: reason 12, pc #"
    assert len(reason_of("x" * 5000)) == 200


def test_log_is_filtered_by_a_saved_cohort_as_it_holds_devices_now(photons: Server) -> None:
    for number in (1, 2):
        device = photons.device(number)
        device.log(f"line of {number}")
        device.check_in()
    path = f"/products/{keys.PRODUCT}"
    first, second = (f"{path}/devices/{device.device_id.hex()}" for device in photons.devices)
    photons.api("PUT", first, json={"groups": ["beta"]})
    photons.api("POST", f"{path}/cohorts", 201, json={"name": "pilots", "cohort": {"group": "beta"}})
    client = sign_in(photons)
    asked = "?cohort=pilots&kind=log"
    page = client.get(f"{HOME}/log{asked}").text
    assert "<option selected>pilots</option>" in page
    assert re.findall(r"line of \d", page) == ["line of 1"]
    photons.api("PUT", first, json={"groups": []})
    photons.api("PUT", second, json={"groups": ["beta"]})
    assert re.findall(r"line of \d", client.get(f"{HOME}/log.csv{asked}").text) == ["line of 2"]
    shown = photons.api("GET", f"{path}/log{asked}")
    assert [entry["text"] for entry in shown["log"]] == ["line of 2"]
    assert client.get(f"{HOME}/log?cohort=none").status_code == 404
    photons.api("GET", f"{path}/log?cohort=none", 404)
