# SPDX-License-Identifier: Apache-2.0
"""Links in mails: whoever follows one has read the mail. Each works once, for a time, and is kept as a hash."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import Connection, delete, insert, select

from ota_server.accounts import service
from ota_server.accounts.models import links
from ota_server.errors import Invalid


class Purpose(StrEnum):
    """What a link is for."""

    SIGN_UP = "sign-up"
    ADDRESS = "address"
    PASSWORD = "password"  # noqa: S105  # not one
    CUSTOMER = "customer"
    CUSTOMER_PASSWORD = "customer-password"  # noqa: S105


LASTS_S: Mapping[Purpose, int] = {
    Purpose.SIGN_UP: 24 * 3600,
    Purpose.ADDRESS: 24 * 3600,
    Purpose.PASSWORD: 3600,
    Purpose.CUSTOMER: 24 * 3600,
    Purpose.CUSTOMER_PASSWORD: 3600,
}


@dataclass(frozen=True, slots=True)
class Link:
    """What is kept of a link.

    Attributes:
        email: the address that it was sent to, and so proves.
        account_id: None for who has no account yet.
        password_hash: with a sign-up, of the password that was chosen; otherwise empty.
        product_id: whose customer the link is for; None for an account's.
    """

    purpose: Purpose
    email: str
    account_id: int | None = None
    password_hash: str = ""
    product_id: int | None = None


def make(connection: Connection, link: Link, now_ms: int) -> str:
    """Returns the token of a link. Earlier ones to the same address for the same end."""
    connection.execute(delete(links).where(links.c.expires_ms <= now_ms))
    same = (links.c.purpose == link.purpose, links.c.email == link.email, links.c.product_id == link.product_id)
    connection.execute(delete(links).where(*same))
    token = secrets.token_hex(20)
    connection.execute(
        insert(links).values(
            token_hash=service.hash_of(token),
            purpose=link.purpose,
            email=link.email,
            account_id=link.account_id,
            password_hash=link.password_hash,
            product_id=link.product_id,
            expires_ms=now_ms + 1000 * LASTS_S[link.purpose],
        )
    )
    return token


def find(connection: Connection, token: str, purposes: frozenset[Purpose], now_ms: int) -> Link:
    """The link of a token, for one of these purposes. Raises Invalid."""
    row = connection.execute(
        select(links.c.purpose, links.c.email, links.c.account_id, links.c.password_hash, links.c.product_id).where(
            links.c.token_hash == service.hash_of(token), links.c.expires_ms > now_ms, links.c.purpose.in_(purposes)
        )
    ).first()
    if row is None:
        raise Invalid("this link was used already, or came too late: ask for another one", "token")
    return Link(Purpose(row[0]), *row[1:])


def use(connection: Connection, token: str, purposes: frozenset[Purpose], now_ms: int) -> Link:
    """The same, and the link is used up. Raises Invalid."""
    link = find(connection, token, purposes, now_ms)
    connection.execute(delete(links).where(links.c.token_hash == service.hash_of(token)))
    return link
