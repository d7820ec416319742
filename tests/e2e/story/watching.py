# SPDX-License-Identifier: Apache-2.0
"""What devices tell and what people did, as the pages show it; a device that is called, and one that is not trusted."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect

from muster.protocol import LogLevel
from tests.e2e.story.world import ANA, World, download, fill, go_to, heading, home, press, sees
from tests.ota_server.simulated import SimulatedDevice

LINES = "#log-entries li"


def read_log(ana: Page, device: SimulatedDevice) -> None:
    """The log grows while it is searched."""
    go_to(ana, "Log")
    expect(ana.locator("body")).to_have_attribute("data-state", "live")
    device.log("the fan stands still", LogLevel.ERROR)
    device.check_in()
    expect(ana.locator(LINES).filter(has_text="the fan stands still")).to_be_visible()
    ana.get_by_label("Text").fill("valve")
    sees(ana, "Nothing of this kind.")
    device.log("the valve is open")
    device.check_in()
    expect(ana.locator(LINES)).to_have_count(1)
    # What was typed stands in the address, which can be given to others.
    ana.goto(ana.url)
    expect(ana.get_by_label("Text")).to_have_value("valve")
    expect(ana.locator(LINES)).to_have_count(1)
    assert b"the valve is open" in download(ana, "Export all of these as CSV")
    press(ana, "Errors, grouped")
    heading(ana, re.compile("errors in 30 days"))
    sees(ana, "the fan stands still")
    ana.get_by_role("row", name="the fan stands still").get_by_role("link").click()
    expect(ana.locator(LINES)).to_have_count(1)


def call_device(ana: Page, device_id: str) -> None:
    """A function of the emulated board is called from its page, which says why it runs what it runs."""
    ana.keyboard.press("Control+k")
    ana.keyboard.type(device_id[:8])
    ana.locator("#finder").get_by_role("link", name=device_id).click()
    heading(ana, device_id)
    one = ana.locator("form.try").filter(has_text="set_point")
    one.get_by_label("set_point").fill("21.5")
    one.get_by_role("button", name="Call").click()
    sees(ana, "answered 2150")
    expect(ana.locator("#device-timeline")).to_contain_text("set_point")
    ana.get_by_role("link", name="Why", exact=True).click()
    sees(ana, "What would have to change")


def meet_stranger(world: World, ana: Page) -> None:
    """A device that nobody knows waits until its key is approved."""
    go_to(ana, "Settings")
    fill(ana, {"A device not known before": "waits for approval"})
    press(ana, "Save")
    stranger = world.simulated(0xB1)
    stranger.check_in()
    go_to(ana, "Overview")
    sees(ana, "1 quarantined device")
    go_to(ana, "Devices")
    press(ana, stranger.device_id.hex())
    sees(ana, "quarantined")
    press(ana, "Approve this key")
    expect(ana.get_by_role("button", name="Approve this key")).to_have_count(0)
    press(ana, "Remove", "Remove 1 device from the product")
    heading(ana, "1 device removed")


def look_back(ana: Page) -> None:
    """Audit and usage, with their files; the organization's page."""
    go_to(ana, "Audit")
    fill(ana, {"Action begins with": "rollout."})
    press(ana, "Show")
    for action in ("rollout.create", "rollout.start", "rollout.pause", "rollout.resume", "rollout.approve"):
        sees(ana, action)
    assert ANA.encode() not in download(ana, "Export CSV")
    go_to(ana, "Usage")
    heading(ana, "What Warm Rooms uses")
    assert download(ana, "Export CSV")
    ana.get_by_role("navigation", name="Main").get_by_role("link", name="Search").evaluate(
        "one => one.removeAttribute('data-finder')"
    )
    home(ana)
