# SPDX-License-Identifier: Apache-2.0
"""Grants: a client acts for an account or a customer, and goes on by refresh tokens, each of which is good once.

A refresh token that comes a second time was copied: nobody knows which of the two is the thief, so the grant ends with
all its tokens (RFC 9700 section 4.14.2).
"""

from __future__ import annotations

import secrets
from dataclasses import fields

from sqlalchemy import Connection, delete, insert, select, update

from ota_server.accounts.service import hash_of
from ota_server.oauth.models import Client, Grant, grants, refresh_tokens

REFRESH_LASTS_MS = 180 * 24 * 3600 * 1000
"""Unless it is used: then the next one lasts as long again."""

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


def new_refresh_token(connection: Connection, grant: Grant, now_ms: int) -> str:
    """Makes a refresh token, which is told only here."""
    connection.execute(delete(refresh_tokens).where(refresh_tokens.c.expires_ms <= now_ms))
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
