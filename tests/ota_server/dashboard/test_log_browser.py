# SPDX-License-Identifier: Apache-2.0
"""The page of a product's log in Debian's Chromium without JavaScript; tests/e2e/story reads it with it."""

from __future__ import annotations

from playwright.sync_api import Browser

from tests.ota_server.dashboard.conftest import ListeningServer, watched

LINES = "#log-entries li"
SCRIPT = "<script>document.title = 'ran'</script>"


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
