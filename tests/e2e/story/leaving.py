# SPDX-License-Identifier: Apache-2.0
"""Other organizations and products, made and removed."""

from __future__ import annotations

from playwright.sync_api import Page

from tests.e2e.story.world import fill, go_to, heading, press


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
