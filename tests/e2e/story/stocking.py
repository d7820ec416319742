# SPDX-License-Identifier: Apache-2.0
"""What a product needs before its first rollout: settings, releases, devices, cohorts, webhooks."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Page, expect

from tests.e2e.story.world import PLATFORM, World, download, fill, go_to, heading, home, press, reload_until, sees
from tests.ota_server.simulated import SimulatedDevice
from tests.ota_server.webhooks.receiver import run_receiver


def change_settings(ana: Page) -> None:
    """Devices come often enough to be watched."""
    home(ana)
    go_to(ana, "Settings")
    fill(ana, {"Seconds between check-ins": "10", "Customers claim devices": "by naming the device's id"})
    press(ana, "Save")
    expect(ana.get_by_label("Seconds between check-ins")).to_have_value("10")


def upload(world: World, person: Page, version: int, title: str) -> None:
    """A release with its image, its ELF file and its notes."""
    go_to(person, "Releases")
    press(person, "Upload a release")
    heading(person, "Upload a release of Thermostat")
    files: list[str | Path] = [world.firmware.image(version), world.firmware.elf(version)]
    person.get_by_label(f"Files for {PLATFORM}").set_input_files(files)
    fill(person, {"Title": title, "What is new": f"What is new in {version}"})
    press(person, "Upload")
    heading(person, f"Version {version} runs on 0 devices")
    sees(person, title, "1 of 1 release keys")


def try_a_simulated_device(ana: Page) -> None:
    """One that needs nothing appears on the first page by itself; it is stopped, and removed."""
    home(ana)
    expect(ana.locator("body")).to_have_attribute("data-state", "live")
    press(ana, "Start a simulated device")
    tile = ana.get_by_role("listitem").filter(has_text="How many are online?")
    expect(tile.get_by_role("link")).to_have_text("1")
    go_to(ana, "Devices")
    press(ana, "Add devices", "Stop the simulated device")
    expect(ana.get_by_role("button", name="Start a simulated device")).to_be_visible()
    go_to(ana, "Devices")
    press(ana, "Simulated device", "Remove", "Remove 1 device")
    heading(ana, "1 device removed")


def first_device_comes(ana: Page, power_on: Callable[[], None], device_id: str) -> None:
    """The overview says so by itself."""
    go_to(ana, "Overview")
    sees(ana, "No devices yet.")
    expect(ana.locator("body")).to_have_attribute("data-state", "live")
    power_on()
    tile = ana.get_by_role("listitem").filter(has_text="How many are online?")
    expect(tile.get_by_role("link")).to_have_text("1")
    go_to(ana, "Devices")
    sees(ana, device_id, "online")


def import_devices(world: World, ana: Page) -> list[SimulatedDevice]:
    """Three simulated devices, whose keys are known before they are heard."""
    made = [world.simulated(number) for number in (0xA1, 0xA2, 0xA3)]
    go_to(ana, "Devices")
    press(ana, "Add devices")
    lines = "\n".join(f"{one.device_id.hex()} {one.key.public_key.raw.hex()}" for one in made)
    fill(ana, {"Ids, one in a line, each alone or with its key": lines})
    press(ana, "Import")
    heading(ana, "3 added, 0 known already, 0 not imported")
    for device in made:
        device.check_in()
    go_to(ana, "Devices")
    heading(ana, "4 devices")
    return made


def name_devices(ana: Page, devices: list[SimulatedDevice]) -> None:
    """Each by its own page; their group in one go, taken back and done again."""
    for device, name in zip(devices, ("Kitchen", "Bedroom", "Cellar"), strict=True):
        go_to(ana, "Devices")
        press(ana, device.device_id.hex())
        press(ana, "Edit")
        fill(ana, {"Name": name})
        press(ana, "Save")
        heading(ana, name)
    go_to(ana, "Devices")
    for name in ("Kitchen", "Bedroom"):
        ana.get_by_label(f"Tick {name}").check()
    ana.get_by_role("combobox", name="Do").select_option(label="Add to a group")
    ana.get_by_label("Group, to add or take out").fill("pilots")
    press(ana, "Show what it would do")
    heading(ana, "Add 2 devices to group pilots?")
    press(ana, "Add 2 devices to group pilots")
    press(ana, "Undo: ")
    press(ana, "Undo: ")
    assert b"Kitchen" in _csv(ana)


def _csv(ana: Page) -> bytes:
    go_to(ana, "Devices")
    return download(ana, "Export as CSV")


def save_cohorts(ana: Page) -> None:
    """One from the list of devices, one by its rows, which is changed and removed."""
    ana.get_by_text("More filters and columns").click()
    fill(ana, {"Group": "pilots"})
    press(ana, "Show")
    heading(ana, "2 devices found")
    ana.get_by_text("Save as cohort").click()
    fill(ana, {"Name": "pilots"})
    press(ana, "Save for rollouts")
    expect(ana).to_have_url(re.compile("cohort=pilots"))
    go_to(ana, "Rollouts")
    press(ana, "Cohorts", "New cohort")
    fill(ana, {"Name": "newer"})
    ana.get_by_label("By what devices told, and what people set").check()
    fill(ana, {"Field 1": "version", "Value 1": "2"})
    sees(ana, "0 of 4 devices")
    press(ana, "Save the cohort")
    heading(ana, "Cohort newer")
    fill(ana, {"About": "Ran it before"})
    press(ana, "Change it")
    expect(ana.get_by_label("About")).to_have_value("Ran it before")
    press(ana, "Remove", "Remove the cohort")
    heading(ana, "1 saved cohort")


def make_webhook(ana: Page) -> None:
    """A test event reaches another server."""
    go_to(ana, "Settings")
    press(ana, "Webhooks")
    with run_receiver() as receiver:
        fill(ana, {"Event begins with": "alarm", "URL": receiver.url})
        press(ana, "Make it, and show its secret")
        sees(ana, "It is shown only now")
        press(ana, "Send a test event")
        reload_until(ana, "completed")
        assert len(receiver.requests) == 1
    press(ana, "Remove this webhook", "Remove it")
    heading(ana, "0 webhooks")
