# SPDX-License-Identifier: Apache-2.0
"""Grants: a client acts for an account or a customer, and goes on by refresh tokens, each of which is good once.

A refresh token that comes a second time was copied: nobody knows which of the two is the thief, so the grant ends with
all its tokens (RFC 9700 section 4.14.2).
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, fields

from sqlalchemy import Connection, delete, insert, select, update

from ota_server.accounts.models import tokens
from ota_server.accounts.service import hash_of
from ota_server.accounts.store import lasts
from ota_server.oauth.models import Client, Code, Grant, authorization_codes, clients, grants, refresh_tokens

REFRESH_LASTS_MS = 180 * 24 * 3600 * 1000
"""Unless it is used: then the next one lasts as long again."""

CODE_LASTS_MS = 2 * 60 * 1000

_GRANT = [grants.c[field.name] for field in fields(Grant)]


def begin(
    connection: Connection,
    client: Client,
    now_ms: int,
    *,
    account_id: int | None = None,
    customer_id: int | None = None,
    scopes: str | None = None,
) -> Grant:
    """Lets a client act for somebody."""
    columns = {
        "client_row": client.id,
        "account_id": account_id,
        "customer_id": customer_id,
        "scopes": scopes,
        "created_ms": now_ms,
    }
    key = connection.execute(insert(grants).values(**columns)).inserted_primary_key
    assert key is not None
    return Grant(int(key[0]), client.id, account_id, customer_id, scopes, now_ms)


def end_expired(connection: Connection, now_ms: int) -> None:
    """Forgets refresh tokens that have expired."""
    connection.execute(delete(refresh_tokens).where(refresh_tokens.c.expires_ms <= now_ms))


def new_refresh_token(connection: Connection, grant: Grant, now_ms: int) -> str:
    """Makes a refresh token, which is told only here."""
    token = secrets.token_hex(20)
    values = {"token_hash": hash_of(token), "grant_id": grant.id, "is_used": False}
    connection.execute(insert(refresh_tokens).values(**values, expires_ms=now_ms + REFRESH_LASTS_MS))
    return token


def use_refresh_token(connection: Connection, client: Client, token: str, now_ms: int) -> Grant | None:
    """The grant of a client's refresh token, which is used up by this; None for one that is not good.

    A second use ends the grant: it must be committed, so that it is no exception.
    """
    mine = refresh_tokens.c.token_hash == hash_of(token)
    grant = of_refresh_token(connection, token, now_ms)
    if grant is None or grant.client_row != client.id:
        return None
    used = update(refresh_tokens).where(mine, refresh_tokens.c.is_used.is_(False)).values(is_used=True)
    if connection.execute(used).rowcount != 1:
        end(connection, grant)
        return None
    return grant


def of_refresh_token(connection: Connection, token: str, now_ms: int) -> Grant | None:
    """The grant of a refresh token that has not expired, used or not."""
    row = connection.execute(
        select(*_GRANT)
        .join(refresh_tokens, refresh_tokens.c.grant_id == grants.c.id)
        .where(refresh_tokens.c.token_hash == hash_of(token), refresh_tokens.c.expires_ms > now_ms)
    ).first()
    return None if row is None else Grant(*row)


def end(connection: Connection, grant: Grant) -> None:
    """With its tokens and refresh tokens."""
    connection.execute(delete(grants).where(grants.c.id == grant.id))


# Tokens as clients ask about them


@dataclass(frozen=True, slots=True)
class Issued:
    """An access token or a refresh token that is good now.

    Attributes:
        client_id: whom it was given to.
        grant: what it belongs to; None for a token that a client got for its own secret.
        token_id: None for a refresh token.
        expires_ms: None for never.
    """

    client_id: str
    grant: Grant | None
    token_id: int | None
    scopes: str | None
    expires_ms: int | None


def issued(connection: Connection, token: str, now_ms: int) -> Issued | None:
    """What is known of a token, if a client was given it."""
    row = connection.execute(
        select(tokens).where(tokens.c.token_hash == hash_of(token), tokens.c.client != "", lasts(now_ms))
    ).first()
    if row is not None:
        grant = None if row.grant_id is None else _get(connection, row.grant_id)
        return Issued(row.client, grant, row.id, row.scopes, row.expires_ms)
    grant = of_refresh_token(connection, token, now_ms)
    if grant is None:
        return None
    kept = connection.execute(
        select(refresh_tokens.c.is_used, refresh_tokens.c.expires_ms).where(
            refresh_tokens.c.token_hash == hash_of(token)
        )
    ).one()
    client_id = connection.execute(select(clients.c.client_id).where(clients.c.id == grant.client_row)).scalar_one()
    return None if kept.is_used else Issued(client_id, grant, None, grant.scopes, kept.expires_ms)


def revoke(connection: Connection, found: Issued) -> None:
    """Ends an access token; with a refresh token, all of its grant (RFC 7009 section 2.1)."""
    if found.token_id is not None:
        connection.execute(delete(tokens).where(tokens.c.id == found.token_id))
    elif found.grant is not None:
        end(connection, found.grant)


def _get(connection: Connection, grant_id: int) -> Grant:
    return Grant(*connection.execute(select(*_GRANT).where(grants.c.id == grant_id)).one())


# Authorization codes


def new_code(connection: Connection, grant: Grant, redirect_uri: str, challenge: str | None, now_ms: int) -> str:
    """Makes a code with which a client gets what it was just granted; it is told only here."""
    _forget_codes(connection, now_ms)
    code = secrets.token_urlsafe(32)
    connection.execute(
        insert(authorization_codes).values(
            code_hash=hash_of(code),
            grant_id=grant.id,
            redirect_uri=redirect_uri,
            challenge=challenge,
            is_used=False,
            expires_ms=now_ms + CODE_LASTS_MS,
        )
    )
    return code


def use_code(connection: Connection, client: Client, code: str, now_ms: int) -> Code | None:
    """What a client's code is for, which is used up by this; None for one that is not good.

    A second use ends the grant (RFC 6749 section 4.1.2): it must be committed, so that it is no exception.
    """
    mine = authorization_codes.c.code_hash == hash_of(code)
    row = connection.execute(
        select(*_GRANT, authorization_codes.c.redirect_uri, authorization_codes.c.challenge)
        .join(authorization_codes, authorization_codes.c.grant_id == grants.c.id)
        .where(mine, authorization_codes.c.expires_ms > now_ms, grants.c.client_row == client.id)
    ).first()
    if row is None:
        return None
    found = Code(Grant(*row[:-2]), row.redirect_uri, row.challenge)
    used = update(authorization_codes).where(mine, authorization_codes.c.is_used.is_(False)).values(is_used=True)
    if connection.execute(used).rowcount != 1:
        end(connection, found.grant)
        return None
    return found


def _forget_codes(connection: Connection, now_ms: int) -> None:
    """Forgets codes that have expired, and grants that nobody fetched."""
    expired = authorization_codes.c.expires_ms <= now_ms
    unused = select(authorization_codes.c.grant_id).where(expired, authorization_codes.c.is_used.is_(False))
    connection.execute(delete(grants).where(grants.c.id.in_(unused)))
    connection.execute(delete(authorization_codes).where(expired))
