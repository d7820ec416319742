# SPDX-License-Identifier: Apache-2.0
"""What a product writes to its customers, in its organization's look."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

from ota_server.accounts.letters import IGNORE, letter
from ota_server.mail.models import Mail
from ota_server.organizations.branding import Branding, branded
from ota_server.products.models import Product


@dataclass(frozen=True, slots=True)
class Storefront:
    """A product as its customers see it, on their way from an app and back to it.

    Attributes:
        asked: what the app asked for; links go on with it.
    """

    product: Product
    brand: Branding
    asked: Mapping[str, str]

    def path(self, page: str, **more: str) -> str:
        """Of one of the product's pages for customers."""
        return f"/customers/{self.product.slug}/{page}?{urlencode({**self.asked, **more})}"


@dataclass(frozen=True, slots=True)
class CustomerLetters:
    """Mails with links to a product's pages. `url`: where people reach this server."""

    url: str
    front: Storefront

    def sign_up(self, email: str, token: str) -> Mail:
        return self._letter(
            email,
            "Your account",
            f"Somebody, most likely you, wants an account for {self.front.product.name} with this address. Follow this "
            "link within a day, and say the password that you chose:",
            self._link("verify", token=token, email=email),
            IGNORE,
        )

    def is_customer(self, email: str) -> Mail:
        return self._letter(
            email,
            "You have an account",
            f"Somebody, most likely you, wanted to sign up for {self.front.product.name} with this address. It has an "
            "account already. If you do not know its password any more, choose another one:",
            self._link("forgot"),
            IGNORE,
        )

    def has_no_password(self, email: str) -> Mail:
        return self._letter(
            email,
            "You sign in another way",
            f"Somebody, most likely you, wanted to sign in to {self.front.product.name} with this address. It has an "
            "account already, without a password here: sign in the way you did before.",
            "",
            IGNORE,
        )

    def password(self, email: str, token: str) -> Mail:
        return self._letter(
            email,
            "Choose another password",
            f"Somebody, most likely you, forgot your password for {self.front.product.name}. Follow this link within "
            "an hour to choose another one:",
            self._link("reset", token=token, email=email),
            IGNORE,
        )

    def password_changed(self, email: str) -> Mail:
        return self._letter(
            email,
            "Your password has changed",
            f"Your account for {self.front.product.name} has another password. If that was not you, choose another "
            "one at once:",
            self._link("forgot"),
        )

    def _letter(self, email: str, subject: str, before: str, link: str, after: str = "") -> Mail:
        return branded(letter(email, subject, before, link, after), self.front.brand, self.url)

    def _link(self, page: str, **more: str) -> str:
        return self.url + self.front.path(page, **more)
