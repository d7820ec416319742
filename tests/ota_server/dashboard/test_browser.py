# SPDX-License-Identifier: Apache-2.0
"""Pages in Debian's Chromium: live numbers, and all without JavaScript; a narrow window; a search by keyboard."""

from __future__ import annotations

from playwright.sync_api import Browser, Page

from tests.ota_server.customers.conftest import make_customer
from tests.ota_server.dashboard.conftest import WAIT_MS, ListeningServer, watched


def count(page: Page, state: str, number: int) -> None:
    page.wait_for_selector(f'[data-count="{state}"]:text-is("{number}")', timeout=WAIT_MS)


def test_first_page_shows_an_update_as_it_happens(live: ListeningServer, browser: Browser) -> None:
    device = live.device()
    device.check_in()
    live.rollout(2, {"percent": 100, "gate": {"min_confirmed": 1, "max_failures": 0}})
    with watched(browser, str(live.client.base_url)) as page:
        page.wait_for_selector("body[data-state=live]", timeout=WAIT_MS)
        count(page, "waiting", 1)
        device.check_in()
        count(page, "offered", 1)
        device.fetch()
        device.boot_staged()
        device.check_in()
        count(page, "trial", 1)
        device.check_in()
        count(page, "confirmed", 1)
        page.wait_for_selector("text=Completed: 1 confirmed of 1 needed", timeout=WAIT_MS)


def test_first_page_of_an_organization_shows_an_update_as_it_happens(live: ListeningServer, browser: Browser) -> None:
    live.api("POST", "/products", 201, json={"product": {"id": 7, "name": "Lamp"}})
    device = live.device()
    device.check_in()
    live.rollout(2, {"percent": 100, "gate": {"min_confirmed": 1, "max_failures": 0}})
    with watched(browser, str(live.client.base_url).rstrip("/") + "/organizations/warm-rooms") as page:
        page.wait_for_selector("body[data-state=live]", timeout=WAIT_MS)
        count(page, "waiting", 1)
        device.check_in()
        count(page, "offered", 1)
        live.api("PUT", "/products/lamp", json={"product": {"name": "Bright lamp"}})
        page.wait_for_selector("#products >> text=Bright lamp", timeout=WAIT_MS)
        device.fetch()
        device.boot_staged()
        device.check_in()
        device.check_in()
        page.wait_for_selector("#organization-rollouts h3", state="detached", timeout=WAIT_MS)


def test_fleet_and_rollout_are_read_and_paused_without_javascript(live: ListeningServer, browser: Browser) -> None:
    device = live.device()
    device.check_in()
    rollout = live.rollout(2)
    with watched(browser, str(live.client.base_url), java_script_enabled=False) as page:
        assert page.locator(".tiles .big").count() == 5
        page.click("nav >> text=Devices")
        page.click(f"main >> text={device.device_id.hex()}")
        page.click("nav >> text=Rollouts")
        page.click("main section.rollout >> a")
        page.wait_for_selector("h2:text('Stages')", timeout=WAIT_MS)
        page.click("text=Pause for")
        page.wait_for_selector("text=Paused by ana@example.com", timeout=WAIT_MS)
    assert live.show(rollout)["rollout"]["status"] == "paused"


def test_everything_is_searched_by_keyboard_and_times_are_in_the_viewers_zone(
    live: ListeningServer, browser: Browser
) -> None:
    device = live.device()
    device.check_in()
    device_id = device.device_id.hex()
    live.rollout(2, {"percent": 100, "gate": {"min_confirmed": 1, "max_failures": 0}})
    with watched(browser, str(live.client.base_url), timezone_id="Asia/Kolkata") as page:
        page.keyboard.press("Control+k")
        page.keyboard.type(device_id[:6])
        page.wait_for_selector(f"#finder .found a:has-text('{device_id}')", timeout=WAIT_MS)
        page.keyboard.press("ArrowDown")
        assert device_id in page.locator(":focus").inner_text()
        page.keyboard.press("ArrowUp")
        assert page.locator("#finder [name=q]:focus").count() == 1
        page.keyboard.press("Escape")
        assert not page.locator("#finder").is_visible()
        page.keyboard.press("Control+k")
        page.keyboard.type("rollouts")
        page.wait_for_selector("#finder .found a:has-text('Rollouts')", timeout=WAIT_MS)
        page.keyboard.press("Enter")
        page.wait_for_url("**/rollouts", timeout=WAIT_MS)
        page.goto(str(live.client.base_url).rstrip("/") + f"/products/thermostat/devices/{device_id}")
        page.wait_for_selector("time[title$='GMT+5:30']", timeout=WAIT_MS)
        assert page.locator("time[title$='UTC']").count() == 0


def test_narrow_page_does_not_scroll_sideways(live: ListeningServer, browser: Browser) -> None:
    live.device().check_in()
    make_customer(live, f"{'c' * 60}@example.com")
    make_customer(live, "cara@example.com")
    live.rollout(2)
    with watched(browser, str(live.client.base_url)) as page:
        page.set_viewport_size({"width": 360, "height": 700})
        for path in ("", "/devices", "/customers", "/rollouts/1"):
            page.goto(str(live.client.base_url).rstrip("/") + f"/products/thermostat{path}")
            assert page.evaluate("document.documentElement.scrollWidth") <= 360
