# SPDX-License-Identifier: Apache-2.0
"""Version 2 reaches the devices: a rollout through the wizard, watched, paused, approved, and gone back from."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect

from tests.e2e.story.world import BEN, PLATFORM, World, download, fill, go_to, heading, home, press, sees
from tests.ota_server.simulated import SimulatedDevice

WATCHDOG = 1


def plan(ben: Page) -> None:
    """Ben goes through the wizard: one stage for all, which needs two confirmed devices and a developer."""
    home(ben)
    go_to(ben, "Rollouts")
    press(ben, "New rollout")
    heading(ben, "Which release?")
    ben.get_by_role("radio", name="Quieter fan").check()
    fill(ben, {"Name of the rollout": "Quieter fan"})
    press(ben, "Next: cohort")
    heading(ben, "Which devices?")
    sees(ben, "4 of 4 devices")
    press(ben, "Next: stages")
    for number, percent in ((1, "100"), (2, ""), (3, "")):
        stage = ben.get_by_role("group", name=f"Stage {number}", exact=True)
        stage.get_by_label("Percent of the cohort").fill(percent)
    first = ben.get_by_role("group", name="Stage 1", exact=True)
    first.get_by_label("Ends at so many confirmed").fill("2")
    first.get_by_label("and so many hours later").fill("0")
    first.get_by_label("Pauses above so many failures").fill("1")
    first.get_by_text("Rates and approval").click()
    first.get_by_label("Ends only when approved by").select_option(label="developer or above")
    press(ben, "Next: schedule", "Next: check")
    heading(ben, "Is this what you mean?")
    press(ben, "Save the draft, show its forecast")
    heading(ben, "Quieter fan")
    sees(ben, "Not started yet.")


def start_and_watch(ben: Page, ana: Page, device_id: str) -> None:
    """Ana looks at the emulated board's page while it updates; Ben at the rollout's, with his hand on the brake."""
    go_to(ana, "Devices")
    press(ana, device_id)
    heading(ana, device_id)
    expect(ana.locator("body")).to_have_attribute("data-state", "live")
    expect(ben.locator("body")).to_have_attribute("data-state", "live")
    press(ben, "Start stage 1")
    sees(ben, "running")
    press(ben, "Pause for")
    sees(ben, f"Paused by {BEN}")
    press(ben, "Resume")
    expect(ben.locator('[data-count="confirmed"]')).to_have_text("1")
    expect(ana.locator("#device-timeline")).to_contain_text("Attempt 1 confirmed")
    expect(ana.locator("#device-state")).to_contain_text("version 2 in slot B")


def approve(ben: Page, ana: Page, good: SimulatedDevice, bad: SimulatedDevice) -> None:
    """One more device confirms and one reverts, at which Ana looks; then Ben approves the stage, which ends it."""
    go_to(ana, "Devices")
    press(ana, "Bedroom")
    expect(ana.locator("body")).to_have_attribute("data-state", "live")
    bad.check_in()
    bad.fetch()
    bad.boot_staged()
    bad.revert(WATCHDOG)
    bad.check_in()
    expect(ana.locator("#device-timeline")).to_contain_text("reverted: the watchdog reset its trial.")
    expect(ben.locator('[data-count="reverted"]')).to_have_text("1")
    good.update()
    expect(ben.locator('[data-count="confirmed"]')).to_have_text("2")
    press(ben, "Approve stage 1")
    sees(ben, "completed")
    expect(ben.locator("#rollout-stages")).to_contain_text(f"by {BEN}")
    ben.get_by_role("link", name="1 times: show the devices").click()
    heading(ben, re.compile("^Devices: .*reverted"))
    sees(ben, "Bedroom")


def go_back(ben: Page) -> None:
    """A rollout the other way, which is aborted before anybody took it."""
    press(ben, "Quieter fan", "Go back to an earlier version")
    heading(ben, "Go back from version 2")
    press(ben, "Look who can")
    sees(ben, "2 devices can go back to version 1")
    press(ben, "Bring 2 devices back to version 1")
    sees(ben, "back from 2")
    press(ben, "Abort")
    heading(ben, re.compile("^Abort "))
    press(ben, "Abort for")
    sees(ben, "aborted")


def handle_releases(world: World, ana: Page, ben: Page) -> None:
    """Files and notes; a version becomes the default, is killed, and comes back."""
    go_to(ben, "Releases")
    ben.get_by_role("row", name="Quieter fan").get_by_role("link").first.click()
    heading(ben, re.compile("^Version 2 runs on"))
    assert download(ben, f"Download the image for {PLATFORM}") == world.firmware.image(2).read_bytes()
    assert download(ben, f"Download the patch from version 1 for {PLATFORM}")
    fill(ben, {"What is new": "The fan is quieter at night"})
    press(ben, "Save the notes")
    sees(ben, "The fan is quieter at night")
    press(ben, "Make it the default")
    heading(ben, "Make version 2 the default?")
    press(ben, "Make it the default for")
    heading(ben, re.compile("^Version 2 runs on"))
    go_to(ben, "Releases")
    sees(ben, "version 2 is the default")
    ben.get_by_role("row", name="First of all").get_by_role("link").first.click()
    press(ben, "Kill", "Kill version 1")
    sees(ben, "it is offered to nobody")
    go_to(ana, "Releases")
    ana.get_by_role("row", name="First of all").get_by_role("link").first.click()
    press(ana, "Let it be offered again")
    sees(ana, "Roll it out")
