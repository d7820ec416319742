# SPDX-License-Identifier: Apache-2.0
"""An organization changes its owner; other organizations and products are made and removed."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect

from tests.e2e.story.world import ANA, BEN, fill, go_to, heading, press

CHANGE = "Change the owner"


def change_owner(ana: Page, ben: Page) -> None:
    """Ben becomes administrator and owner; Ana is it again when he gives that back."""
    go_to(ana, "Team")
    press(ana, CHANGE)
    press(ana, "Make a member administrator")
    ana.get_by_label(f"Role of {BEN}").select_option(label="Administrator")
    press(ana, f"Change the role of {BEN}")
    expect(ana.get_by_label(f"Role of {BEN}")).to_have_value("administrator")
    for owner, next_owner in ((ana, BEN), (ben, ANA)):
        go_to(owner, "Team")
        press(owner, CHANGE)
        heading(owner, "Make somebody else the owner of Warm Rooms?")
        fill(owner, {"New owner": next_owner, "Type warm-rooms to confirm": "warm-rooms"})
        press(owner, CHANGE)
        heading(owner, re.compile("^2 people"))
        expect(owner.get_by_role("row", name=next_owner)).to_contain_text("owner")


def make_others(ana: Page) -> None:
    """A product that was a mistake; another organization."""
    go_to(ana, "Organization settings")
    fill(ana, {"Name": "Warmer Rooms"})
    press(ana, "Rename")
    heading(ana, "Settings of Warmer Rooms")
    press(ana, "New product")
    fill(ana, {"Name": "Lamp", "Product id": "7"})
    press(ana, "Make it")
    heading(ana, "Lamp")
    go_to(ana, "Settings")
    fill(ana, {"Type lamp to remove it": "lamp"})
    press(ana, "Remove Lamp for good")
    heading(ana, "Warmer Rooms")
    go_to(ana, "Organization settings")
    press(ana, "New organization")
    fill(ana, {"Name": "Cool Rooms"})
    press(ana, "Make it")
    heading(ana, "Cool Rooms")


def leave(person: Page) -> None:
    person.get_by_role("button", name="Sign out").click()
    heading(person, "Muster")
