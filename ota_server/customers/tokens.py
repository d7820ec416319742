# SPDX-License-Identifier: Apache-2.0
"""Access tokens of customers, and customers' passwords."""

from __future__ import annotations

from dataclasses import fields

from sqlalchemy import Connection, delete, select

from ota_server.accounts import store as accounts_store
from ota_server.accounts.addresses import EMAIL_MAX, normal_email
from ota_server.accounts.models import Token, tokens
from ota_server.accounts.service import NewToken, Passwords, hash_of, is_token, token_columns
from ota_server.customers import store
from ota_server.customers.models import Customer
from ota_server.errors import Unauthorized
from ota_server.products.models import Product
from ota_server.storage.database import Database

TOKENS_MAX = 50
"""Of a customer: the oldest one ends when another is made."""
ACTIVE_EVERY_MS = 10 * 60 * 1000
"""How exactly it is known when a customer was last active."""

_TOKEN = [tokens.c[field.name] for field in fields(Token)]


def keep_token(connection: Connection, customer: Customer, token: str, new: NewToken, now_ms: int) -> None:
    """Lets a token in from now on. Raises Invalid."""
    mine = tokens.c.customer_id == customer.id
    # Those that have expired go first.
    newest = (accounts_store.lasts(now_ms).desc(), tokens.c.id.desc())
    kept = connection.execute(select(tokens.c.id).where(mine).order_by(*newest)).scalars().all()
    connection.execute(delete(tokens).where(tokens.c.id.in_(kept[TOKENS_MAX - 1 :])))
    accounts_store.add_token(connection, customer_id=customer.id, **token_columns(token, new, now_ms))


def holder_of_token(connection: Connection, token: str, now_ms: int) -> tuple[Customer, Token] | None:
    """Which customer's token it is."""
    if not is_token(token):
        return None
    row = connection.execute(
        select(tokens.c.customer_id, *_TOKEN).where(
            tokens.c.token_hash == hash_of(token), tokens.c.customer_id.is_not(None), accounts_store.lasts(now_ms)
        )
    ).first()
    if row is None:
        return None
    customer = store.by_row(connection, row.customer_id)
    assert customer is not None, "tokens go with their customer"
    return customer, Token(*row[1:])


def was_active(connection: Connection, customer: Customer, now_ms: int) -> None:
    """Notes that a customer asked for something."""
    store.change(connection, customer.id, active_ms=now_ms)


def password_key(product: Product, email: str) -> str:
    """What wrong passwords of a customer are counted under."""
    return f"{product.id} {email}"


def check_password(
    database: Database, passwords: Passwords, product: Product, email: str, password: str, now_ms: int
) -> Customer:
    """The customer, if the password is its own. Raises Unauthorized, TooMany."""
    email = normal_email(email)[:EMAIL_MAX]
    with database.read() as connection:
        found = store.by_email(connection, product.id, email)
    kept = None if found is None else found.password_hash
    passwords.check_hash(kept, password_key(product, email), password, now_ms)
    if found is None or kept is None:
        raise Unauthorized("wrong address or password")
    return found
