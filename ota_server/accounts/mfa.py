# SPDX-License-Identifier: Apache-2.0
"""The second factor: codes of an authenticator app (TOTP, RFC 6238), and recovery codes for when it is lost.

After a right password comes a *challenge*: a token that is good for one code, five tries and five minutes.
"""

from __future__ import annotations

import hmac
import re
import secrets
from dataclasses import dataclass

import pyotp
from sqlalchemy import Connection, delete, func, insert, select, update

from ota_server.accounts.models import accounts, mfa_challenges, recovery_codes
from ota_server.accounts.service import hash_of

RECOVERY_CODES = 10
TRIES = 5
"""Of one challenge."""
ACCOUNT_TRIES = 10
"""Of all challenges of an account in the time that one lasts: whoever knows the password can ask for many."""
LASTS_MS = 5 * 60 * 1000
STEP_S = 30
ISSUER = "Muster"

_CODE = re.compile(r"[0-9]{6}")
_RECOVERY_CODE = re.compile(r"[0-9a-f]{20}")


@dataclass(frozen=True, slots=True)
class Challenge:
    """What a code is asked for.

    Attributes:
        new_secret: the secret that is being set up; None when somebody signs in.
        client: the OAuth client that asked; empty for a browser.
        lasts_s: for how long the token is to be good that the client gets; None for ever.
    """

    account_id: int
    new_secret: str | None
    client: str
    lasts_s: int | None


def is_on(connection: Connection, account_id: int) -> bool:
    """Whether signing in needs a code."""
    return _secret(connection, account_id)[0] is not None


def challenge(
    connection: Connection,
    account_id: int,
    now_ms: int,
    client: str = "",
    lasts_s: int | None = None,
    new_secret: str | None = None,
) -> str:
    """Asks for a code; the answer comes with the token that this returns. Earlier ones of the same kind end."""
    connection.execute(delete(mfa_challenges).where(mfa_challenges.c.expires_ms <= now_ms))
    if new_secret is not None:
        own = (mfa_challenges.c.account_id == account_id, mfa_challenges.c.new_secret.is_not(None))
        connection.execute(delete(mfa_challenges).where(*own))
    token = secrets.token_hex(20)
    connection.execute(
        insert(mfa_challenges).values(
            token_hash=hash_of(token),
            account_id=account_id,
            new_secret=new_secret,
            client=client,
            lasts_s=lasts_s,
            failures=0,
            expires_ms=now_ms + LASTS_MS,
        )
    )
    return token


def new_secret() -> str:
    """160 random bits in base32, as an authenticator app takes them."""
    return pyotp.random_base32(32)


def uri_of(secret: str, email: str) -> str:
    """What an authenticator app reads from a QR code (otpauth://)."""
    return pyotp.TOTP(secret).provisioning_uri(name=email, issuer_name=ISSUER)


def asked_secret(connection: Connection, account_id: int, token: str, now_ms: int) -> str | None:
    """The secret that a challenge of the account sets up, while a code of it may still be tried."""
    query = select(mfa_challenges.c.new_secret).where(
        mfa_challenges.c.token_hash == hash_of(token),
        mfa_challenges.c.account_id == account_id,
        mfa_challenges.c.expires_ms > now_ms,
        mfa_challenges.c.failures < TRIES,
    )
    return connection.execute(query).scalar_one_or_none()


def answer(connection: Connection, token: str, code: str, now_ms: int) -> Challenge | None:
    """The challenge, if the code is right; then it is over, and the code is used up. None: a failure, which counts.

    A recovery code does as well, once, except for setting up.
    """
    row = connection.execute(
        select(mfa_challenges).where(
            mfa_challenges.c.token_hash == hash_of(token),
            mfa_challenges.c.expires_ms > now_ms,
            mfa_challenges.c.failures < TRIES,
        )
    ).first()
    if row is None or _failures(connection, row.account_id, now_ms) >= ACCOUNT_TRIES:
        return None
    found = Challenge(row.account_id, row.new_secret, row.client, row.lasts_s)
    mine = mfa_challenges.c.token_hash == row.token_hash
    if not _is_right(connection, found, code.strip().lower(), now_ms):
        connection.execute(update(mfa_challenges).where(mine).values(failures=row.failures + 1))
        return None
    connection.execute(delete(mfa_challenges).where(mine))
    return found


def turn_on(connection: Connection, account_id: int, secret: str) -> list[str]:
    """Returns the recovery codes, which are told only here."""
    connection.execute(update(accounts).where(accounts.c.id == account_id).values(totp_secret=secret))
    return renew_codes(connection, account_id)


def renew_codes(connection: Connection, account_id: int) -> list[str]:
    """Recovery codes in place of those that there are, told only here."""
    connection.execute(delete(recovery_codes).where(recovery_codes.c.account_id == account_id))
    codes = [secrets.token_hex(10) for _ in range(RECOVERY_CODES)]
    rows = [{"account_id": account_id, "code_hash": hash_of(code)} for code in codes]
    connection.execute(insert(recovery_codes), rows)
    return [f"{code[:5]}-{code[5:10]}-{code[10:15]}-{code[15:]}" for code in codes]


def codes_left(connection: Connection, account_id: int) -> int:
    """Recovery codes that were not used."""
    mine = recovery_codes.c.account_id == account_id
    return int(connection.execute(select(func.count()).select_from(recovery_codes).where(mine)).scalar_one())


def turn_off(connection: Connection, account_id: int) -> None:
    """Signing in needs the password only; open challenges and recovery codes are void."""
    connection.execute(update(accounts).where(accounts.c.id == account_id).values(totp_secret=None))
    for table in (recovery_codes, mfa_challenges):
        connection.execute(delete(table).where(table.c.account_id == account_id))


def _secret(connection: Connection, account_id: int) -> tuple[str | None, int]:
    """The secret, and the time step that was used last."""
    row = connection.execute(
        select(accounts.c.totp_secret, accounts.c.totp_step).where(accounts.c.id == account_id)
    ).one()
    return row.totp_secret, row.totp_step


def _failures(connection: Connection, account_id: int, now_ms: int) -> int:
    """Wrong codes for the account's challenges that have not expired."""
    query = select(func.coalesce(func.sum(mfa_challenges.c.failures), 0))
    own = (mfa_challenges.c.account_id == account_id, mfa_challenges.c.expires_ms > now_ms)
    return int(connection.execute(query.where(*own)).scalar_one())


def _is_right(connection: Connection, asked: Challenge, code: str, now_ms: int) -> bool:
    secret, last_step = _secret(connection, asked.account_id)
    secret = asked.new_secret or secret
    if secret is None:
        return False
    if _CODE.fullmatch(code):
        step = _step_of(secret, code, now_ms)
        if step is None or step <= last_step:
            return False
        connection.execute(update(accounts).where(accounts.c.id == asked.account_id).values(totp_step=step))
        return True
    return asked.new_secret is None and _use_recovery_code(connection, asked.account_id, code)


def _step_of(secret: str, code: str, now_ms: int) -> int | None:
    """The time step that a code is of: now, or one to either side (RFC 6238 section 5.2)."""
    now = now_ms // 1000 // STEP_S
    found = None
    for step in (now - 1, now, now + 1):
        if hmac.compare_digest(pyotp.TOTP(secret).generate_otp(step), code):
            found = step
    return found


def _use_recovery_code(connection: Connection, account_id: int, code: str) -> bool:
    digits = code.replace("-", "").replace(" ", "")
    if not _RECOVERY_CODE.fullmatch(digits):
        return False
    used = connection.execute(
        delete(recovery_codes).where(
            recovery_codes.c.account_id == account_id, recovery_codes.c.code_hash == hash_of(digits)
        )
    )
    return used.rowcount == 1
