# SPDX-License-Identifier: Apache-2.0
"""What Ben does with his own account, from a forgotten password to its end."""

from __future__ import annotations

import re

import pyotp
from playwright.sync_api import Locator, Page, expect

from tests.e2e.story.world import BEN, World, fill, heading, press, sees

NEW_PASSWORD, NEWER_PASSWORD = "battery staple", "staple battery"


def forget_the_password(world: World, ben: Page) -> None:
    """Ben signs out, and comes back by a link."""
    ben.get_by_role("button", name="Sign out").click()
    press(ben, "Forgotten password")
    fill(ben, {"E-mail": BEN})
    press(ben, "Send a link")
    heading(ben, "Look into your mail")
    ben.goto(world.link(BEN))
    fill(ben, {"New password, of 8 characters or more": NEW_PASSWORD})
    press(ben, "Change the password")
    world.sign_in(ben, BEN, NEW_PASSWORD)
    heading(ben, "Thermostat")


def add_second_factor(world: World, ben: Page) -> list[str]:
    """Signing in takes a code from then on; the recovery codes that are left are returned."""
    _open(ben)
    fill(ben, {"First name": "Ben"})
    press(ben, "Save")
    heading(ben, "You are Ben")
    press(ben, "Set up a second factor")
    secret = ben.locator(".secret").inner_text().replace(" ", "")
    fill(ben, {"Code": pyotp.TOTP(secret).now()})
    press(ben, "Turn it on, and show recovery codes", "I have kept them")
    _with_password(ben, "second-factor/codes", NEW_PASSWORD).get_by_role("button").click()
    heading(ben, "Keep these recovery codes")
    codes = ben.locator(".secret").all_inner_texts()
    ben.get_by_role("button", name="Sign out").click()
    _sign_in_with_code(world, ben, codes.pop())
    return codes


def make_token_and_client(ben: Page) -> None:
    """Each is shown once, and ended."""
    _open(ben)
    press(ben, "Access tokens")
    fill(ben, {"Name": "laptop"})
    press(ben, "Make it, and show it")
    sees(ben, "It is shown only now")
    press(ben, "Revoke laptop")
    press(ben, "Revoke")
    heading(ben, re.compile("access token"))
    press(ben, "OAuth clients")
    fill(ben, {"Name": "Script", "Redirect URI": "https://app.example.com/done"})
    press(ben, "Make it, and show its secret")
    heading(ben, "Script")
    fill(ben, {"Name": "Better script"})
    press(ben, "Save")
    heading(ben, "Better script")
    press(ben, "Give it another secret, and show it")
    sees(ben, "It is shown only now")
    press(ben, "Remove this client", "Remove it")
    heading(ben, "0 OAuth clients of your own")


def sign_out_another(world: World, ben: Page, codes: list[str]) -> None:
    """A browser that Ben has left signed in somewhere is signed out from here."""
    elsewhere = world.person()
    _sign_in_with_code(world, elsewhere, codes.pop())
    _open(ben)
    press(ben, "Browsers")
    heading(ben, "2 browsers are signed in as you")
    press(ben, "Sign out all others")
    heading(ben, "1 browser is signed in as you")
    elsewhere.reload()
    expect(elsewhere.get_by_label("Password")).to_be_visible()


def end(ben: Page) -> None:
    """Another address that is never confirmed, another password, one factor again; then the account is deleted."""
    _open(ben)
    form = _with_password(ben, "email", NEW_PASSWORD)
    form.get_by_label("New e-mail address").fill("ben.new@example.com")
    form.get_by_role("button").click()
    sees(ben, "A mail with a link is on its way.")
    form = _with_password(ben, "password", NEW_PASSWORD)
    for label in ("New password", "The new password again"):
        form.get_by_label(label, exact=True).fill(NEWER_PASSWORD)
    form.get_by_role("button").click()
    sees(ben, "The password has changed.")
    _with_password(ben, "second-factor/off", NEWER_PASSWORD).get_by_role("button").click()
    sees(ben, "the password alone signs you in")
    press(ben, "Delete your account")
    heading(ben, "Delete your account for good?")
    _with_password(ben, "delete", NEWER_PASSWORD).get_by_role("button").click()
    heading(ben, "Muster")


def _open(ben: Page) -> None:
    ben.get_by_role("navigation", name="Main").get_by_role("link", name="your account").click()


def _with_password(ben: Page, action: str, password: str) -> Locator:
    """One of the page's forms, each of which asks for the password; it is typed."""
    form = ben.locator(f'form[action="/account/{action}"]')
    form.locator("[name=current_password]").fill(password)
    return form


def _sign_in_with_code(world: World, page: Page, code: str) -> None:
    world.sign_in(page, BEN, NEW_PASSWORD)
    fill(page, {"Code of your authenticator app, or a recovery code": code})
    press(page, "Sign in")
    heading(page, "Thermostat")
