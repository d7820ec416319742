# SPDX-License-Identifier: Apache-2.0
"""Both pages in Debian's Chromium: live numbers, the pause button with and without JavaScript, both colour schemes."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, Page

from ota_server.clock import SystemClock
from ota_server.organizations.service import add_administrator
from ota_server.services import Services
from tests.ota_server import keys
from tests.ota_server.conftest import EMAIL, ORGANIZATION, PASSWORD, HandClock, Server, listen_app, make_settings
from tests.ota_server.customers.conftest import make_customer

WAIT_MS = 60_000


class ListeningServer(Server):
    """A server on a real socket."""

    parts: Services

    @property
    def services(self) -> Services:
        return self.parts


@pytest.fixture
def live(tmp_path: Path) -> Iterator[ListeningServer]:
    settings = make_settings(tmp_path / "server")
    with listen_app(settings, SystemClock()) as (services, url), httpx.Client(base_url=url) as client:
        hashed = services.passwords.hash(PASSWORD)
        token = services.database.write(lambda c: add_administrator(c, EMAIL, hashed, ORGANIZATION, 0))
        server = ListeningServer(settings.data_dir, HandClock(), client, token)  # type: ignore[arg-type]
        server.parts = services
        server.product()
        for version in (1, 2):
            server.publish(keys.image(version))
        yield server


def sign_in(page: Page, url: str) -> None:
    page.goto(url)
    page.fill("[name=email]", EMAIL)
    page.fill("[name=password]", PASSWORD)
    page.click("button.main")
    page.wait_for_selector(".tiles", timeout=WAIT_MS)


@contextlib.contextmanager
def watched(browser: Browser, url: str, **options: bool | str) -> Iterator[Page]:
    """A page that must not log anything: a refused script or style would."""
    said: list[str] = []
    page = browser.new_page(**options)  # type: ignore[arg-type]
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    try:
        sign_in(page, url)
        yield page
    finally:
        page.close()
    assert said == []


def count(page: Page, state: str, number: int) -> None:
    page.wait_for_selector(f'[data-count="{state}"]:text-is("{number}")', timeout=WAIT_MS)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_first_page_shows_an_update_as_it_happens(live: ListeningServer, browser: Browser, scheme: str) -> None:
    device = live.device()
    device.check_in()
    live.rollout(2, {"percent": 100, "gate": {"min_confirmed": 1, "max_failures": 0}})
    with watched(browser, str(live.client.base_url), color_scheme=scheme) as page:
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


def test_device_page_shows_a_revert_as_it_happens(live: ListeningServer, browser: Browser) -> None:
    device = live.device()
    device.check_in()
    live.rollout(2)
    device.check_in()
    with watched(browser, str(live.client.base_url)) as page:
        page.goto(str(live.client.base_url).rstrip("/") + f"/products/thermostat/devices/{device.device_id.hex()}")
        page.wait_for_selector("body[data-state=live]", timeout=WAIT_MS)
        device.fetch()
        device.boot_staged()
        device.revert(1)
        device.check_in()
        page.wait_for_selector("text=Attempt 1 reverted: the watchdog reset its trial.", timeout=WAIT_MS)


def test_rollout_is_read_and_paused_without_javascript(live: ListeningServer, browser: Browser) -> None:
    rollout = live.rollout(2)
    with watched(browser, str(live.client.base_url), java_script_enabled=False) as page:
        page.click("text=Pause for")
        page.wait_for_selector("text=Paused by ana@example.com", timeout=WAIT_MS)
    assert live.show(rollout)["rollout"]["status"] == "paused"


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
