# SPDX-License-Identifier: Apache-2.0
"""Who may sign up: a choice of whoever runs the server."""

from __future__ import annotations

from dataclasses import dataclass

from muster.errors import ValueOutOfRange
from ota_server.accounts.addresses import clean_email, domain_of
from ota_server.errors import Invalid

INVITED, ANYONE = "invited", "anyone"


@dataclass(frozen=True, slots=True)
class SignUpPolicy:
    """Who may make an account. Whoever is invited always may.

    Attributes:
        is_open: anyone may.
        domains: addresses at these may.
    """

    is_open: bool = False
    domains: frozenset[str] = frozenset()

    @classmethod
    def from_text(cls, text: str) -> SignUpPolicy:
        """`invited`, `anyone`, or domains with commas between. Raises ValueOutOfRange."""
        if text in (INVITED, ANYONE):
            return cls(text == ANYONE)
        domains = frozenset(part.strip().lower() for part in text.split(","))
        for domain in domains:
            try:
                clean_email(f"somebody@{domain}")
            except Invalid as error:
                raise ValueOutOfRange(
                    f"who may sign up is `{INVITED}`, `{ANYONE}` or domains, not {domain!r}"
                ) from error
        return cls(domains=domains)

    def allows(self, email: str) -> bool:
        return self.is_open or domain_of(email) in self.domains
