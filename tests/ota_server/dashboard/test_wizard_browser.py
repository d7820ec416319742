# SPDX-License-Identifier: Apache-2.0
"""The rollout wizard in Debian's Chromium, by keyboard alone, with its live count."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser

from ota_server.devices import walk
from tests.ota_server.dashboard.conftest import WAIT_MS, ListeningServer, watched


def test_wizard_is_walked_by_keyboard_alone_and_counts_devices_as_they_are_chosen(
    live: ListeningServer, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Each look is at one device: the page goes on counting by itself.
    monkeypatch.setattr(walk, "PIECE", 1)
    monkeypatch.setattr(walk, "for_seconds", lambda *_: lambda: True)
    for number in range(2):
        live.device(number).check_in()
    with watched(browser, str(live.client.base_url)) as page:
        page.goto(str(live.client.base_url).rstrip("/") + "/products/thermostat/rollouts/new")

        def reach(words: str) -> None:
            """Goes on with Tab until something is in focus."""
            look = """() => { const one = document.activeElement;
              return one === document.body ? "" : one.textContent + one.labels?.[0]?.textContent }"""
            for _ in range(120):
                if words in page.evaluate(look):
                    return
                page.keyboard.press("Tab")
            raise AssertionError(f"no Tab leads to {words}")

        for following in ("cohort", "stages", "schedule", "check"):
            if following == "stages":
                page.wait_for_selector("text=2 of 2 devices", timeout=WAIT_MS)
                reach("All devices of the product")
                page.keyboard.press("ArrowDown")
                reach("Value 1")
                page.keyboard.type("9")
                page.wait_for_selector("text=Not counted", timeout=WAIT_MS)
                page.keyboard.press("Shift+Tab")
                page.keyboard.press("Shift+Tab")
                page.keyboard.type("version")
                page.wait_for_selector("text=0 of 2 devices", timeout=WAIT_MS)
            reach(f"Next: {following}")
            page.keyboard.press("Enter")
            page.wait_for_url(f"**step={following}*", timeout=WAIT_MS)
        assert "version is 9" in page.inner_text("main")
        reach("Save the draft")
        page.keyboard.press("Enter")
        page.wait_for_selector("text=Not started yet.", timeout=WAIT_MS)
    assert live.show(1)["rollout"]["stages"][0]["cohort"] == {"field": "version", "is": 9}
