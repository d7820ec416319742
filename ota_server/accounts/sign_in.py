# SPDX-License-Identifier: Apache-2.0
"""Signing in, the same for browsers and for tools: a password, and a code where the account has a second factor."""

from __future__ import annotations

from sqlalchemy import Connection

from ota_server.accounts import mfa, store
from ota_server.accounts.addresses import EMAIL_MAX, normal_email
from ota_server.accounts.models import Account
from ota_server.accounts.service import Passwords
from ota_server.storage.database import Database


class SignIns:
    """Checks who somebody is. `client`, here, is the OAuth client that asks; empty for a browser."""

    def __init__(self, database: Database, passwords: Passwords) -> None:
        self._database = database
        self._passwords = passwords

    def check_password(self, email: str, password: str, now_ms: int) -> Account:
        """Raises Unauthorized, TooMany."""
        email = normal_email(email)[:EMAIL_MAX]
        with self._database.read() as connection:
            known = store.by_email(connection, email)
        return self._passwords.check(known, email, password, now_ms)

    def ask_for_code(self, account: Account, now_ms: int, client: str = "", lasts_s: int | None = None) -> str | None:
        """The token of a challenge; None for an account without a second factor. `lasts_s`: see `mfa.Challenge`."""
        with self._database.read() as connection:
            if not mfa.is_on(connection, account.id):
                return None
        return self._database.write(lambda connection: mfa.challenge(connection, account.id, now_ms, client, lasts_s))

    def take_code(self, token: str, code: str, now_ms: int, client: str = "") -> tuple[Account, int | None] | None:
        """Who answered a challenge of this client, and its `lasts_s`; None for a wrong code, which counts."""

        def write(connection: Connection) -> tuple[Account, int | None] | None:
            found = mfa.answer(connection, token, code, now_ms)
            if found is None or found.new_secret is not None or found.client != client:
                return None
            account = store.by_id(connection, found.account_id)
            return None if account is None else (account, found.lasts_s)

        # No exception inside the write: it would take the count of wrong codes back.
        return self._database.write(write)
