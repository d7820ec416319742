# SPDX-License-Identifier: Apache-2.0
"""What the server writes to people."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlencode

from ota_server.mail.models import Mail

IGNORE = "If that was not you, there is nothing to do."


def letter(email: str, subject: str, before: str, link: str = "", after: str = "") -> Mail:
    """A mail with a link between two paragraphs."""
    parts = ("Good day,", before, link, after)
    return Mail(email, subject, "\n\n".join(part for part in parts if part) + "\n")


@dataclass(frozen=True, slots=True)
class Letters:
    """Mails with links to this server. `url`: where people reach it."""

    url: str

    def sign_up(self, email: str, token: str) -> Mail:
        return letter(
            email,
            "Your account",
            "Somebody, most likely you, wants an account with this address. Follow this link within a day, and say the "
            "password that you chose:",
            self._link("/verify", token=token, email=email),
            IGNORE,
        )

    def has_account(self, email: str) -> Mail:
        return letter(
            email,
            "You have an account",
            "Somebody, most likely you, wanted to sign up with this address. It has an account already. If you do not "
            "know its password any more, choose another one:",
            self._link("/forgot"),
            IGNORE,
        )

    def address(self, email: str, token: str) -> Mail:
        return letter(
            email,
            "Your new address",
            "Somebody, most likely you, wants to sign in with this address from now on. Follow this link within a day, "
            "and say your password:",
            self._link("/verify", token=token, email=email),
            IGNORE,
        )

    def address_changes(self, email: str, new: str) -> Mail:
        return letter(
            email,
            "Your address is to change",
            f"Your account is to have the address {new}. It changes when the link in a mail to that address is "
            "followed. If that was not you, choose another password:",
            self._link("/forgot"),
        )

    def password(self, email: str, token: str) -> Mail:
        return letter(
            email,
            "Choose another password",
            "Somebody, most likely you, forgot your password. Follow this link within an hour to choose another one:",
            self._link("/reset", token=token, email=email),
            IGNORE,
        )

    def password_changed(self, email: str) -> Mail:
        return letter(
            email,
            "Your password has changed",
            "Your account has another password. If that was not you, choose another one at once:",
            self._link("/forgot"),
        )

    def invitation(self, email: str, organization: str, role: str, by: str) -> Mail:
        return letter(
            email,
            "You are invited to a team",
            f"{by} invites you to the team of {organization} as {role}. Sign in with this address to join or to "
            "decline; if you have no account yet, make one:",
            self._link("/sign-up", email=email),
        )

    def _link(self, path: str, **query: str) -> str:
        return f"{self.url}{path}" + (f"?{urlencode(query)}" if query else "")
