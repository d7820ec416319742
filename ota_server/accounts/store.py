# SPDX-License-Identifier: Apache-2.0
"""SQL for accounts."""

from __future__ import annotations

from sqlalchemy import Connection, delete, insert, select

from ota_server.accounts.models import Account, AuditLine, WebSession, accounts, audit, tokens, web_sessions

_ACCOUNT = (accounts.c.id, accounts.c.email, accounts.c.password_hash, accounts.c.created_ms)


def by_email(connection: Connection, email: str) -> Account | None:
    row = connection.execute(select(*_ACCOUNT).where(accounts.c.email == email)).first()
    return None if row is None else Account(*row)


def by_token(connection: Connection, token_hash: bytes) -> Account | None:
    row = connection.execute(
        select(*_ACCOUNT).join(tokens, tokens.c.account_id == accounts.c.id).where(tokens.c.token_hash == token_hash)
    ).first()
    return None if row is None else Account(*row)


def add_account(connection: Connection, email: str, password_hash: str, now_ms: int) -> int:
    key = connection.execute(
        insert(accounts).values(email=email, password_hash=password_hash, created_ms=now_ms)
    ).inserted_primary_key
    assert key is not None
    return int(key[0])


def add_token(connection: Connection, account_id: int, token_hash: bytes, label: str, now_ms: int) -> None:
    connection.execute(
        insert(tokens).values(account_id=account_id, token_hash=token_hash, label=label, created_ms=now_ms)
    )


def add_web_session(
    connection: Connection, account_id: int, cookie_hash: bytes, form_token: str, expires_ms: int
) -> None:
    connection.execute(
        insert(web_sessions).values(
            account_id=account_id, cookie_hash=cookie_hash, form_token=form_token, expires_ms=expires_ms
        )
    )


def web_session(connection: Connection, cookie_hash: bytes, now_ms: int) -> WebSession | None:
    row = connection.execute(
        select(*_ACCOUNT, web_sessions.c.form_token)
        .join(web_sessions, web_sessions.c.account_id == accounts.c.id)
        .where(web_sessions.c.cookie_hash == cookie_hash, web_sessions.c.expires_ms > now_ms)
    ).first()
    return None if row is None else WebSession(Account(*row[:4]), row[4])


def end_web_session(connection: Connection, cookie_hash: bytes) -> None:
    connection.execute(delete(web_sessions).where(web_sessions.c.cookie_hash == cookie_hash))


def end_expired(connection: Connection, now_ms: int) -> None:
    connection.execute(delete(web_sessions).where(web_sessions.c.expires_ms <= now_ms))


def add_audit(
    connection: Connection,
    account_id: int | None,
    organization_id: int | None,
    action: str,
    subject: str,
    detail: str,
    now_ms: int,
) -> None:
    connection.execute(
        insert(audit).values(
            at_ms=now_ms,
            account_id=account_id,
            organization_id=organization_id,
            action=action,
            subject=subject,
            detail=detail,
        )
    )


def audit_lines(connection: Connection, organization_id: int, limit: int = 200) -> list[AuditLine]:
    """An organization's, newest first."""
    rows = connection.execute(
        select(audit.c.at_ms, accounts.c.email, audit.c.action, audit.c.subject, audit.c.detail)
        .outerjoin(accounts, accounts.c.id == audit.c.account_id)
        .where(audit.c.organization_id == organization_id)
        .order_by(audit.c.id.desc())
        .limit(limit)
    )
    return [AuditLine(at_ms, email or "", action, subject, detail) for at_ms, email, action, subject, detail in rows]
