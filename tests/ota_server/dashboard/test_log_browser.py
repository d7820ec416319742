# SPDX-License-Identifier: Apache-2.0
"""The page of a product's log in Debian's Chromium: searched while it grows, shared by its address, read without
JavaScript."""

from __future__ import annotations

from playwright.sync_api import Browser

from tests.ota_server.dashboard.conftest import WAIT_MS, ListeningServer, watched

LINES = "#log-entries li"
SCRIPT = "<script>document.title = 'ran'</script>"


def test_log_is_searched_while_it_grows(live: ListeningServer, browser: Browser) -> None:
    url = str(live.client.base_url)
    device = live.device()
    device.log("the fan stands still")
    device.check_in()
    with watched(browser, url) as page:
        page.click("nav >> text=Log")
        page.wait_for_selector(f"{LINES}:has-text('the fan stands still')", timeout=WAIT_MS)
        page.fill("[name=text]", "valve")
        page.wait_for_selector("text=Nothing of this kind.", timeout=WAIT_MS)
        assert "text=valve" in page.url
        device.log("the fan turns again")
        device.check_in()
        device.log("the valve is open")
        device.check_in()
        page.wait_for_selector(f"{LINES}:has-text('the valve is open')", timeout=WAIT_MS)
        assert page.locator(LINES).count() == 1
        shared = page.url
        page.goto(shared)
        assert page.input_value("[name=text]") == "valve"
        assert page.locator(LINES).count() == 1


def test_log_is_searched_without_javascript(live: ListeningServer, browser: Browser) -> None:
    device = live.device()
    device.publish("sensor/fan", SCRIPT)
    device.check_in()
    with watched(browser, str(live.client.base_url), java_script_enabled=False) as page:
        page.click("nav >> text=Log")
        page.select_option("[name=kind]", "event")
        page.fill("[name=text]", "FAN")
        page.click("text=Show")
        assert page.locator(f"{LINES} .text").all_inner_texts() == [SCRIPT]
