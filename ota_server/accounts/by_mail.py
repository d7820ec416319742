# SPDX-License-Identifier: Apache-2.0
"""What goes by a link in a mail: sign up, change one's address, choose another password.

No answer tells whether an address has an account: all say the same, and a mail says the rest. Before a link is followed
there is no account, so that nobody can take an address that is not theirs; and following it needs the password that
was chosen with it, so that nobody makes an account theirs that a stranger asked for.
"""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import Connection

from ota_server.accounts import links, service, store
from ota_server.accounts.addresses import clean_email, normal_email
from ota_server.accounts.letters import Letters
from ota_server.accounts.links import Link, Purpose
from ota_server.accounts.models import Account
from ota_server.accounts.policy import SignUpPolicy
from ota_server.audit import store as audit
from ota_server.audit.models import Entry
from ota_server.errors import Conflict, Forbidden
from ota_server.mail import outbox
from ota_server.mail.limits import MailLimits
from ota_server.mail.models import Mail
from ota_server.rates import Rate
from ota_server.storage.database import Database

INVITATIONS = 100
"""Mails in an hour that one member has sent."""
_PROVING = frozenset({Purpose.SIGN_UP, Purpose.ADDRESS})


class ByMail:
    """The rules.

    Args:
        letters: None where the server sends no mail: then nothing of this is possible.
        is_invited: whether somebody would like an address in a team.
    """

    def __init__(
        self,
        database: Database,
        passwords: service.Passwords,
        letters: Letters | None,
        policy: SignUpPolicy,
        limits: MailLimits,
        is_invited: Callable[[Connection, str], bool],
    ) -> None:
        self._database = database
        self._passwords = passwords
        self._letters = letters
        self._policy = policy
        self._is_invited = is_invited
        self._limits = limits
        self._invited = Rate(INVITATIONS, 3600, "enough people were invited: wait an hour")

    @property
    def is_on(self) -> bool:
        return self._letters is not None

    def sign_up(self, email: str, password: str, address: str, now_ms: int) -> str:
        """Sends a link to who may sign up. Returns what to say, which is the same for every address.

        Raises:
            Invalid: no address, or no password.
            Forbidden: the server sends no mail.
            TooMany: there were enough mails.
        """
        letters = self._ready()
        email = clean_email(email)
        self._limits.take(email, address, now_ms)
        hashed = self._passwords.hash(password)

        def write(connection: Connection) -> None:
            if store.by_email(connection, email) is not None:
                outbox.put(connection, letters.has_account(email), now_ms)
            elif self._policy.allows(email) or self._is_invited(connection, email):
                token = links.make(connection, Link(Purpose.SIGN_UP, email, password_hash=hashed), now_ms)
                outbox.put(connection, letters.sign_up(email, token), now_ms)

        self._database.write(write)
        return f"If {email} may sign up here, a mail with a link is on its way to it."

    def ask_for_password(self, email: str, address: str, now_ms: int) -> str:
        """Sends a link to who has an account. Returns what to say. Raises Forbidden, TooMany."""
        letters = self._ready()
        email = normal_email(email)
        self._limits.take(email, address, now_ms)

        def write(connection: Connection) -> None:
            account = store.by_email(connection, email)
            if account is not None:
                token = links.make(connection, Link(Purpose.PASSWORD, account.email, account.id), now_ms)
                outbox.put(connection, letters.password(account.email, token), now_ms)

        self._database.write(write)
        return f"If {email} has an account here, a mail with a link is on its way to it."

    def ask_for_address(self, account: Account, email: str, address: str, now_ms: int) -> str:
        """Sends a link to the address that an account would like to have. Returns what to say.

        Raises:
            Invalid: no address, or the account's own.
            Forbidden, TooMany: as `sign_up`.
        """
        letters = self._ready()
        email = clean_email(email)
        self._limits.take(email, address, now_ms)

        def write(connection: Connection) -> None:
            if store.by_email(connection, email) is not None:
                outbox.put(connection, letters.has_account(email), now_ms)
            else:
                token = links.make(connection, Link(Purpose.ADDRESS, email, account.id), now_ms)
                outbox.put(connection, letters.address(email, token), now_ms)
            outbox.put(connection, letters.address_changes(account.email, email), now_ms)
            entry = Entry(now_ms, account.id, None, address, "account.ask_for_address", account.email, email)
            audit.add(connection, entry)

        self._database.write(write)
        return f"A mail with a link is on its way to {email}; the address changes when it is followed."

    def follow(self, token: str, password: str, address: str, now_ms: int) -> tuple[Account, bool]:
        """Makes the account that a link is for, or changes its address. Returns it, and whether it is new.

        Raises:
            Invalid: no such link.
            Unauthorized, TooMany: wrong password.
            Conflict: another account has got the address meanwhile.
        """
        with self._database.read() as connection:
            link = links.find(connection, token, _PROVING, now_ms)
            known = None if link.account_id is None else store.by_id(connection, link.account_id)
        kept = link.password_hash if known is None else known.password_hash
        self._passwords.check_hash(kept, link.email, password, now_ms)

        def write(connection: Connection) -> Account:
            used = links.use(connection, token, _PROVING, now_ms)
            if store.by_email(connection, used.email) is not None:
                raise Conflict(f"{used.email} has an account already")
            if used.account_id is None:
                account_id = store.add_account(connection, used.email, used.password_hash, now_ms)
            else:
                account_id = used.account_id
                store.change(connection, account_id, email=used.email)
            action = "account.create" if used.account_id is None else "account.address"
            audit.add(connection, Entry(now_ms, account_id, None, address, action, used.email))
            account = store.by_id(connection, account_id)
            assert account is not None
            return account

        return self._database.write(write), link.account_id is None

    def choose_password(self, token: str, password: str, address: str, now_ms: int) -> None:
        """Gives an account another password; all its sign-ins and tokens end.

        Raises:
            Invalid: no such link, or no password.
        """
        purposes = frozenset({Purpose.PASSWORD})
        with self._database.read() as connection:
            links.find(connection, token, purposes, now_ms)
        hashed = self._passwords.hash(password)

        def write(connection: Connection) -> None:
            link = links.use(connection, token, purposes, now_ms)
            account = None if link.account_id is None else store.by_id(connection, link.account_id)
            assert account is not None
            self.set_password(connection, account, hashed, now_ms)
            store.end_tokens(connection, account.id)
            audit.add(connection, Entry(now_ms, account.id, None, address, "account.reset_password", account.email))

        self._database.write(write)

    def set_password(self, connection: Connection, account: Account, password_hash: str, now_ms: int) -> None:
        """Changes a password and says so by mail; sign-ins and links of the account end."""
        store.change(connection, account.id, password_hash=password_hash)
        store.end_web_sessions(connection, account.id)
        store.end_links(connection, account.id)
        if self._letters is not None:
            outbox.put(connection, self._letters.password_changed(account.email), now_ms)

    def invitation(self, email: str, organization: str, role: str, by: str, now_ms: int) -> Mail | None:
        """The mail to somebody who is invited into a team; None where the server sends none. Raises TooMany."""
        if self._letters is None:
            return None
        self._invited.take(by, now_ms)
        self._limits.take_to(email, now_ms)
        return self._letters.invitation(email, organization, role, by)

    def _ready(self) -> Letters:
        if self._letters is None:
            raise Forbidden("this server sends no mail, so that this is not possible: ask whoever runs it")
        return self._letters
