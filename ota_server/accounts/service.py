# SPDX-License-Identifier: Apache-2.0
"""Rules for accounts: passwords, access tokens, signing in."""

from __future__ import annotations

import hashlib
import re
import secrets
import threading
from dataclasses import dataclass

from argon2 import PasswordHasher, Type
from argon2.exceptions import InvalidHashError, VerificationError
from sqlalchemy import Connection

from ota_server.accounts import store
from ota_server.accounts.addresses import clean_email
from ota_server.accounts.models import AGENT_MAX, Account, Token, WebSession
from ota_server.errors import Conflict, Invalid, NotFound, Unauthorized
from ota_server.rates import Rate

PASSWORD_MIN = 8
PASSWORD_MAX = 1000
SIGN_IN_HOURS = 12
SEEN_EVERY_MS = 10 * 60 * 1000
"""How exactly it is known when a token or a browser was used last."""
TOKENS_MAX = 200
TOKEN_LASTS_MAX_S = 10 * 365 * 24 * 3600
HASHES_AT_ONCE = 2
"""Each takes 64 MiB and a tenth of a second: many at once would be an attack."""
SIGN_IN_FAILURES_MAX = 10
SIGN_IN_WINDOW_S = 5 * 60
_TOO_MANY_FAILURES = "too many wrong passwords for this address: wait five minutes"

_TOKEN = re.compile(r"[0-9a-f]{40}")


class Passwords:
    """Hashes and checks passwords (argon2id, RFC 9106 section 4, second recommended option), at most so often."""

    def __init__(self) -> None:
        self._hasher = PasswordHasher(time_cost=3, memory_cost=64 * 1024, parallelism=4, type=Type.ID)
        self._decoy = ""
        self._lock = threading.Lock()
        self._turns = threading.BoundedSemaphore(HASHES_AT_ONCE)
        self._failures = Rate(SIGN_IN_FAILURES_MAX, SIGN_IN_WINDOW_S, _TOO_MANY_FAILURES)

    def hash(self, password: str) -> str:
        """Raises Invalid for a password that is too short or too long."""
        if not PASSWORD_MIN <= len(password) <= PASSWORD_MAX:
            raise Invalid(f"a password has {PASSWORD_MIN} to {PASSWORD_MAX} characters", "password")
        with self._turns:
            return self._hasher.hash(password)

    def check(self, account: Account | None, email: str, password: str, now_ms: int) -> Account:
        """The account, if the password is its own.

        Raises:
            Unauthorized: wrong address or password.
            TooMany: too many wrong ones for this address.
        """
        self.check_hash(None if account is None else account.password_hash, email, password, now_ms)
        assert account is not None, "the decoy has no password"
        return account

    def check_hash(self, kept: str | None, email: str, password: str, now_ms: int) -> None:
        """The same for a hash, which need not be an account's yet. Raises as `check`."""
        self._failures.check(email, now_ms)
        with self._lock:
            # An unknown address costs as much time as a wrong password, so it tells nothing.
            self._decoy = self._decoy or self._hasher.hash(secrets.token_hex(16))
        try:
            with self._turns:
                self._hasher.verify(self._decoy if kept is None else kept, password[:PASSWORD_MAX])
        except (VerificationError, InvalidHashError) as error:
            self._failures.count(email, now_ms)
            raise Unauthorized("wrong address or password") from error


def create_account(connection: Connection, email: str, password_hash: str, now_ms: int) -> tuple[int, str]:
    """Makes an account and its first access token, which is told only here.

    Raises:
        Invalid: not an address.
        Conflict: the address has an account already.
    """
    email = clean_email(email)
    if store.by_email(connection, email) is not None:
        raise Conflict(f"{email} has an account already")
    account_id = store.add_account(connection, email, password_hash, now_ms)
    return account_id, add_token(connection, account_id, NewToken("first"), now_ms)


def new_token() -> str:
    """An access token: 40 random hexadecimal digits."""
    return secrets.token_hex(20)


@dataclass(frozen=True, slots=True)
class NewToken:
    """What a token is to be good for; see `Token`.

    Attributes:
        lasts_s: None for a token that does not expire.
    """

    label: str
    lasts_s: int | None = None
    client: str = ""
    scopes: str | None = None
    product_id: int | None = None
    grant_id: int | None = None


def is_token(text: str) -> bool:
    """Whether it could be an access token."""
    return _TOKEN.fullmatch(text) is not None


def add_token(connection: Connection, account_id: int, new: NewToken, now_ms: int) -> str:
    """Makes an access token; see `keep_token`."""
    token = new_token()
    keep_token(connection, account_id, token, new, now_ms)
    return token


def keep_token(connection: Connection, account_id: int, token: str, new: NewToken, now_ms: int) -> None:
    """Lets a token in from now on; only its SHA-256 and its first characters are kept.

    Raises:
        Invalid: no such label, or it would last longer than TOKEN_LASTS_MAX_S.
        Conflict: the account has TOKENS_MAX tokens.
    """
    if len(store.tokens_of(connection, account_id, now_ms)) >= TOKENS_MAX:
        raise Conflict(f"this account has {TOKENS_MAX} access tokens: revoke some first")
    store.add_token(connection, account_id=account_id, **token_columns(token, new, now_ms))


def token_columns(token: str, new: NewToken, now_ms: int) -> dict[str, object]:
    """What is kept of a token, whoever holds it. Raises Invalid."""
    label = new.label.strip()
    if not 1 <= len(label) <= 100 or not label.isprintable():
        raise Invalid("a token's name has 1 to 100 characters", "label")
    if new.lasts_s is not None and not 1 <= new.lasts_s <= TOKEN_LASTS_MAX_S:
        raise Invalid(f"a token lasts 1 to {TOKEN_LASTS_MAX_S} seconds", "expires_in")
    return {
        "token_hash": hash_of(token),
        "prefix": token[:6],
        "label": label,
        "client": new.client,
        "created_ms": now_ms,
        "expires_ms": None if new.lasts_s is None else now_ms + 1000 * new.lasts_s,
        "scopes": new.scopes,
        "product_id": new.product_id,
        "grant_id": new.grant_id,
    }


def holder_of_token(connection: Connection, token: str, now_ms: int) -> tuple[Account, Token]:
    """Whose token it is. Raises Unauthorized."""
    found = store.by_token(connection, hash_of(token), now_ms) if is_token(token) else None
    if found is None:
        raise Unauthorized("this access token is not valid")
    return found


def revoke(connection: Connection, token: str, now_ms: int) -> None:
    """Ends a token; whoever knows it may. Raises NotFound."""
    if not is_token(token) or not store.end_token_of_hash(connection, hash_of(token), now_ms):
        raise NotFound("there is no such access token")


def revoke_own(connection: Connection, account: Account, token_id: int, now_ms: int) -> None:
    """Ends a token of the account by its number. Raises NotFound."""
    if token_id not in {one.id for one in store.tokens_of(connection, account.id, now_ms)}:
        raise NotFound("there is no such access token")
    store.end_token(connection, token_id)


def sign_in(connection: Connection, account: Account, now_ms: int, address: str = "", agent: str = "") -> str:
    """Signs a browser in, for SIGN_IN_HOURS, and returns its cookie. `address`, `agent`: see `Browser`."""
    cookie = secrets.token_hex(32)
    store.add_web_session(
        connection,
        account_id=account.id,
        cookie_hash=hash_of(cookie),
        form_token=secrets.token_hex(16),
        expires_ms=now_ms + SIGN_IN_HOURS * 3600 * 1000,
        created_ms=now_ms,
        used_ms=now_ms,
        address=address,
        # PostgreSQL's texts have no NUL.
        agent="".join(one for one in agent if one.isprintable())[:AGENT_MAX],
    )
    store.change(connection, account.id, signed_in_ms=now_ms)
    return cookie


def web_session(connection: Connection, cookie: str, now_ms: int) -> WebSession | None:
    """The session of a cookie, while it lasts."""
    return store.web_session(connection, hash_of(cookie), now_ms)


def end_browser(connection: Connection, account: Account, browser_id: int) -> None:
    """Signs one of the account's browsers out. Raises NotFound."""
    if not store.end_browser(connection, account.id, browser_id):
        raise NotFound("this browser is not signed in any more")


def sign_out(connection: Connection, cookie: str) -> None:
    store.end_web_session(connection, hash_of(cookie))


def hash_of(secret: str) -> bytes:
    """What is kept of a token, a cookie or a code: all of them are random, so that one SHA-256 is enough."""
    return hashlib.sha256(secret.encode()).digest()
