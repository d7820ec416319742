# SPDX-License-Identifier: Apache-2.0
"""The first account of a new server, and the team that comes after it."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from tests.e2e.story.world import ANA, BEN, PASSWORD, World, fill, go_to, heading, press, sees

EVE = "eve@example.com"


def set_up(world: World) -> Page:
    """Ana makes the first account, its organization and its product."""
    ana = world.person()
    ana.goto(world.set_up_url)
    heading(ana, "Set up this server")
    fill(ana, {"E-mail": ANA, "Password, of 8 characters or more": PASSWORD, "Organization": "Warm Rooms"})
    press(ana, "Set up, and go on to the first device")
    heading(ana, "Thermostat")
    sees(ana, "No devices yet.", "No rollouts yet.")
    return ana


def gather_team(world: World, ana: Page) -> Page:
    """Ana invites; Ben comes by the links in his mails."""
    go_to(ana, "Team")
    heading(ana, "1 person and 0 programs work for Warm Rooms")
    _invite(ana, BEN, "Support")
    ben = world.person()
    ben.goto(world.link(BEN))
    if not ben.get_by_role("heading", name="Sign up").is_visible():
        press(ben, "Sign up")
    fill(ben, {"E-mail": BEN, "Password, of 8 characters or more": PASSWORD})
    press(ben, "Sign up")
    heading(ben, "Look into your mail")
    ben.goto(world.link(BEN))
    fill(ben, {"Your password": PASSWORD})
    press(ben, "Confirm")
    sees(ben, f"{ANA} invites you to the team of Warm Rooms as Support.")
    press(ben, "Join")
    heading(ben, "Thermostat")
    ana.reload()
    ana.get_by_label(f"Role of {BEN}").select_option(label="Developer")
    press(ana, f"Change the role of {BEN}")
    expect(ana.get_by_label(f"Role of {BEN}")).to_have_value("developer")
    _withdraw_and_remove(world, ana)
    return ben


def _invite(ana: Page, email: str, role: str) -> None:
    fill(ana, {"E-mail address": email})
    ana.get_by_label("Role", exact=True).select_option(label=role)
    press(ana, "Invite")
    sees(ana, f"{email} is invited as {role}. A mail with a link is on its way.")


def _withdraw_and_remove(world: World, ana: Page) -> None:
    """An invitation that was a mistake, and a program that is not needed for long."""
    _invite(ana, EVE, "View-only")
    world.link(EVE)
    press(ana, f"Withdraw the invitation of {EVE}")
    heading(ana, f"Withdraw the invitation of {EVE}?")
    press(ana, f"Withdraw {EVE}")
    heading(ana, "2 people and 0 programs work for Warm Rooms")
    fill(ana, {"Name": "build server"})
    ana.get_by_label("devices:list", exact=True).check()
    press(ana, "Add, and show its token")
    sees(ana, "It is shown only now")
    first = ana.locator(".secret").inner_text()
    press(ana, "New token for build server")
    expect(ana.locator(".secret")).not_to_have_text(first)
    press(ana, "Remove build server")
    ana.get_by_role("main").get_by_role("button", name="Remove").click()
    heading(ana, "2 people and 0 programs work for Warm Rooms")
