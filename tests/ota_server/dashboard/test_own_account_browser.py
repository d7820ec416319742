# SPDX-License-Identifier: Apache-2.0
"""The second factor and secrets in Debian's Chromium: pages that only a form shows, with no barrier and nothing logged,
and the same without JavaScript.
"""

from __future__ import annotations

import pyotp
import pytest
from playwright.sync_api import Browser, Page

from tests.ota_server.conftest import PASSWORD
from tests.ota_server.dashboard.conftest import ListeningServer, watched
from tests.ota_server.dashboard.test_every_page import BARRIERS, OVERFLOW, TAGS, axe  # noqa: F401  # axe: a fixture


def look(page: Page, axe: str) -> list[str]:  # noqa: F811
    """What is wrong with a page, on a telephone in the dark."""
    page.evaluate(axe)
    page.emulate_media(color_scheme="dark")
    page.set_viewport_size({"width": 390, "height": 800})
    return list(page.evaluate(BARRIERS, TAGS) + page.evaluate(OVERFLOW))


@pytest.mark.parametrize("has_javascript", [True, False])
def test_second_factor_is_set_up_and_switched_off(
    live: ListeningServer,
    browser: Browser,
    axe: str,  # noqa: F811
    has_javascript: bool,
) -> None:
    address = str(live.client.base_url).rstrip("/")
    with watched(browser, address, java_script_enabled=has_javascript) as page:
        page.goto(f"{address}/account")
        page.click("button:has-text('Set up a second factor')")
        secret = page.locator("code.secret").inner_text().replace(" ", "")
        assert page.locator(".picture svg").bounding_box()
        assert page.get_by_role("button", name="Copy the secret").is_visible() == has_javascript
        wrong = look(page, axe) if has_javascript else []
        page.fill("[name=otp]", pyotp.TOTP(secret).at(live.services.clock.now_ms() // 1000))
        page.click("button.main")
        assert page.locator(".recovery li").count() == 10
        wrong += look(page, axe) if has_javascript else []
        page.click("text=I have kept them")
        wrong += look(page, axe) if has_javascript else []
        page.fill("#off-current_password", PASSWORD)
        page.click("button.danger")
        page.wait_for_selector("text=The second factor is off.")
        assert wrong == []


def test_tokens_and_secrets_are_shown_without_a_barrier(live: ListeningServer, browser: Browser, axe: str) -> None:  # noqa: F811
    address = str(live.client.base_url).rstrip("/")
    with watched(browser, address) as page:
        page.goto(f"{address}/account/tokens")
        page.fill("[name=label]", "ci")
        page.click("text=Make it, and show it")
        assert page.locator("code.secret").count() == 1
        wrong = look(page, axe)
        for path in ("/account/clients", "/products/thermostat/clients"):
            page.goto(f"{address}{path}")
            page.fill("[name=name]", "App")
            page.fill("[name=redirect_uri]", "https://app.example.com/done")
            page.click("text=Make it, and show its secret")
            assert page.locator("code.secret").count() == 1
            wrong += look(page, axe)
        assert wrong == []
