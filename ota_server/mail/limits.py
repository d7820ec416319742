# SPDX-License-Identifier: Apache-2.0
"""How many mails people may ask for."""

from __future__ import annotations

from ota_server.rates import Rate

TO_ONE_ADDRESS = 5
FROM_ONE_ADDRESS = 30
"""Mails in an hour that one e-mail address gets, that one network address asks for."""
_WINDOW_S = 3600


class MailLimits:
    """Counts mails for accounts and customers together, so that nobody's mailbox is filled."""

    def __init__(self) -> None:
        self._to = Rate(TO_ONE_ADDRESS, _WINDOW_S, "enough mails have gone to this address: wait an hour")
        self._from = Rate(FROM_ONE_ADDRESS, _WINDOW_S, "too many mails were asked for from here: wait an hour")

    def take(self, email: str, address: str, now_ms: int) -> None:
        """Counts a mail to an e-mail address that a network address asked for. Raises TooMany."""
        self._from.take(address, now_ms)
        self._to.take(email, now_ms)

    def take_to(self, email: str, now_ms: int) -> None:
        """Counts a mail that a member has sent. Raises TooMany."""
        self._to.take(email, now_ms)
