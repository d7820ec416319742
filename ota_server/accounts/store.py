# SPDX-License-Identifier: Apache-2.0
"""SQL for accounts."""

from __future__ import annotations

import json
from dataclasses import asdict, fields

from sqlalchemy import ColumnElement, Connection, delete, insert, or_, select, true, update

from ota_server.accounts.models import (
    Account,
    AccountInfo,
    Browser,
    Token,
    WebSession,
    accounts,
    links,
    mfa_challenges,
    recovery_codes,
    tokens,
    web_sessions,
)
from ota_server.oauth.models import grants

_TOKEN = tuple(tokens.c[field.name] for field in fields(Token))
_BROWSER = tuple(web_sessions.c[field.name] for field in fields(Browser))
_ACCOUNT = (accounts.c.id, accounts.c.email, accounts.c.password_hash, accounts.c.created_ms)


def by_email(connection: Connection, email: str) -> Account | None:
    row = connection.execute(select(*_ACCOUNT).where(accounts.c.email == email)).first()
    return None if row is None else Account(*row)


def by_id(connection: Connection, account_id: int) -> Account | None:
    row = connection.execute(select(*_ACCOUNT).where(accounts.c.id == account_id)).first()
    return None if row is None else Account(*row)


def by_token(connection: Connection, token_hash: bytes, now_ms: int) -> tuple[Account, Token] | None:
    """A token that has not expired, and whose it is."""
    row = connection.execute(
        select(*_ACCOUNT, *_TOKEN)
        .join(tokens, tokens.c.account_id == accounts.c.id)
        .where(tokens.c.token_hash == token_hash, lasts(now_ms))
    ).first()
    return None if row is None else (Account(*row[:4]), Token(*row[4:]))


def lasts(now_ms: int) -> ColumnElement[bool]:
    """Of tokens."""
    return or_(tokens.c.expires_ms.is_(None), tokens.c.expires_ms > now_ms)


def add_account(connection: Connection, email: str, password_hash: str, now_ms: int) -> int:
    key = connection.execute(
        insert(accounts).values(email=email, password_hash=password_hash, created_ms=now_ms)
    ).inserted_primary_key
    assert key is not None
    return int(key[0])


def change(connection: Connection, account_id: int, **values: object) -> None:
    connection.execute(update(accounts).where(accounts.c.id == account_id).values(**values))


def info(connection: Connection, account_id: int) -> AccountInfo:
    """What a person says of themselves."""
    text = connection.execute(select(accounts.c.info).where(accounts.c.id == account_id)).scalar_one()
    return AccountInfo(**json.loads(text))


def set_info(connection: Connection, account_id: int, values: AccountInfo) -> None:
    change(connection, account_id, info=json.dumps(asdict(values)))


def erase(connection: Connection, account_id: int) -> None:
    """Forgets who it was; the row stays, since the audit log names it."""
    change(connection, account_id, email=f"deleted-{account_id}", password_hash="", totp_secret=None, info="{}")
    end_tokens(connection, account_id)
    end_web_sessions(connection, account_id)
    end_links(connection, account_id)
    connection.execute(delete(recovery_codes).where(recovery_codes.c.account_id == account_id))


def end_links(connection: Connection, account_id: int) -> None:
    connection.execute(delete(links).where(links.c.account_id == account_id))


def add_token(connection: Connection, **columns: object) -> None:
    connection.execute(insert(tokens).values(**columns))


def has_token(connection: Connection, token_id: int, now_ms: int) -> bool:
    """Whether a token is still good."""
    return connection.execute(select(tokens.c.id).where(tokens.c.id == token_id, lasts(now_ms))).first() is not None


def tokens_of(connection: Connection, account_id: int, now_ms: int) -> list[Token]:
    """Those that have not expired, newest first."""
    rows = connection.execute(
        select(*_TOKEN).where(tokens.c.account_id == account_id, lasts(now_ms)).order_by(tokens.c.id.desc())
    )
    return [Token(*row) for row in rows]


def end_token_of_hash(connection: Connection, token_hash: bytes, now_ms: int) -> bool:
    """Whether there was one, an account's or a customer's."""
    return connection.execute(delete(tokens).where(tokens.c.token_hash == token_hash, lasts(now_ms))).rowcount == 1


def end_token(connection: Connection, token_id: int) -> None:
    connection.execute(delete(tokens).where(tokens.c.id == token_id))


def end_tokens(connection: Connection, account_id: int) -> None:
    """Ends all access tokens, and the grants with whose refresh tokens there would be new ones."""
    for table in (tokens, grants):
        connection.execute(delete(table).where(table.c.account_id == account_id))


def was_used(connection: Connection, token_id: int, now_ms: int) -> None:
    """Notes that a token came with a request."""
    connection.execute(update(tokens).where(tokens.c.id == token_id).values(used_ms=now_ms))


def add_web_session(connection: Connection, **columns: object) -> None:
    connection.execute(insert(web_sessions).values(**columns))


def web_session(connection: Connection, cookie_hash: bytes, now_ms: int) -> WebSession | None:
    row = connection.execute(
        select(*_ACCOUNT, web_sessions.c.form_token, *_BROWSER)
        .join(web_sessions, web_sessions.c.account_id == accounts.c.id)
        .where(web_sessions.c.cookie_hash == cookie_hash, web_sessions.c.expires_ms > now_ms)
    ).first()
    return None if row is None else WebSession(Account(*row[:4]), row[4], Browser(*row[5:]))


def browsers_of(connection: Connection, account_id: int, now_ms: int) -> list[Browser]:
    """Those that are signed in, last used first."""
    mine = (web_sessions.c.account_id == account_id, web_sessions.c.expires_ms > now_ms)
    rows = connection.execute(
        select(*_BROWSER).where(*mine).order_by(web_sessions.c.used_ms.desc(), web_sessions.c.id.desc())
    )
    return [Browser(*row) for row in rows]


def was_seen(connection: Connection, browser: Browser, address: str, now_ms: int) -> None:
    """Notes that a browser asked for a page."""
    mine = web_sessions.c.id == browser.id
    connection.execute(update(web_sessions).where(mine).values(used_ms=now_ms, address=address))


def end_browser(connection: Connection, account_id: int, browser_id: int) -> bool:
    """Signs one of the account's browsers out; whether it was there."""
    mine = (web_sessions.c.account_id == account_id, web_sessions.c.id == browser_id)
    return connection.execute(delete(web_sessions).where(*mine)).rowcount == 1


def end_web_session(connection: Connection, cookie_hash: bytes) -> None:
    connection.execute(delete(web_sessions).where(web_sessions.c.cookie_hash == cookie_hash))


def end_web_sessions(connection: Connection, account_id: int, kept: int | None = None) -> None:
    """Signs an account's browsers out, those too that are half signed in. `kept`: one that stays, by its id."""
    for table in (web_sessions, mfa_challenges):
        others = web_sessions.c.id != kept if table is web_sessions and kept is not None else true()
        connection.execute(delete(table).where(table.c.account_id == account_id, others))


def end_expired(connection: Connection, now_ms: int) -> None:
    """Forgets sign-ins and tokens that have expired."""
    connection.execute(delete(web_sessions).where(web_sessions.c.expires_ms <= now_ms))
    connection.execute(delete(tokens).where(tokens.c.expires_ms <= now_ms))
