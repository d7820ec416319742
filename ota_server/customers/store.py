# SPDX-License-Identifier: Apache-2.0
"""SQL for customers."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import fields

from sqlalchemy import ColumnElement, Connection, delete, func, insert, select, update

from ota_server.customers.models import Activity, Customer, customers
from ota_server.storage.schema import metadata
from ota_server.storage.sql import begins_with

_COLUMNS = [customers.c[field.name] for field in fields(Customer)]


def by_email(connection: Connection, product_id: int, email: str) -> Customer | None:
    return _one(connection, customers.c.product_id == product_id, customers.c.email == email)


def by_row(connection: Connection, row_id: int) -> Customer | None:
    return _one(connection, customers.c.id == row_id)


def by_rows(connection: Connection, row_ids: Collection[int]) -> dict[int, Customer]:
    """Customers by their rows."""
    rows = connection.execute(select(*_COLUMNS).where(customers.c.id.in_(row_ids)))
    return {row[0]: Customer(*row) for row in rows}


def of_account(connection: Connection, account_id: int) -> list[Customer]:
    """What an account is a customer of, by product."""
    query = select(*_COLUMNS).where(customers.c.account_id == account_id).order_by(customers.c.product_id)
    return [Customer(*row) for row in connection.execute(query)]


def of_product(
    connection: Connection,
    product_id: int,
    page: int,
    per_page: int,
    search: str = "",
    activity: tuple[Activity, int] | None = None,
) -> tuple[list[Customer], int]:
    """One page of a product's customers by address, and how many there are on all pages.

    `search`: a part of their addresses. `activity`: only these, where who was active since then is active.
    """
    where = customers.c.product_id == product_id
    if activity is not None:
        where &= _is(*activity)
    if search:
        where &= customers.c.email.contains(search.strip().lower(), autoescape=True)
    total = connection.execute(select(func.count()).select_from(customers).where(where)).scalar_one()
    query = select(*_COLUMNS).where(where).order_by(customers.c.email).limit(per_page).offset((page - 1) * per_page)
    return [Customer(*row) for row in connection.execute(query)], total


def beginning_with(connection: Connection, product_id: int, text: str, limit: int) -> list[str]:
    """Addresses that begin so."""
    query = select(customers.c.email).where(customers.c.product_id == product_id)
    query = query.where(begins_with(customers.c.email, text.lower())).order_by(customers.c.email).limit(limit)
    return list(connection.execute(query).scalars())


def count_by_activity(connection: Connection, product_id: int, since_ms: int) -> dict[Activity, int]:
    """How many of a product's customers are active, where those are who were since then, and so on."""
    query = select(func.count()).where(customers.c.product_id == product_id)
    return {one: connection.execute(query.where(_is(one, since_ms))).scalar_one() for one in Activity}


def _is(activity: Activity, since_ms: int) -> ColumnElement[bool]:
    match activity:
        case Activity.ACTIVE:
            return customers.c.active_ms >= since_ms
        case Activity.LAPSED:
            return customers.c.active_ms < since_ms
        case Activity.NEVER:
            return customers.c.active_ms.is_(None)


def count(connection: Connection, product_id: int) -> int:
    return connection.execute(select(func.count()).where(customers.c.product_id == product_id)).scalar_one()


def active_since(connection: Connection, product_id: int, since_ms: int) -> int:
    """How many of a product's customers have asked for something since then."""
    where = (customers.c.product_id == product_id, customers.c.active_ms >= since_ms)
    return connection.execute(select(func.count()).select_from(customers).where(*where)).scalar_one()


def add(
    connection: Connection,
    product_id: int,
    email: str,
    password_hash: str | None,
    account_id: int | None,
    now_ms: int,
) -> Customer:
    result = connection.execute(
        insert(customers).values(
            product_id=product_id,
            email=email,
            password_hash=password_hash,
            account_id=account_id,
            created_ms=now_ms,
        )
    )
    key = result.inserted_primary_key
    assert key is not None
    return Customer(int(key[0]), product_id, email, password_hash, account_id, now_ms, None)


def change(connection: Connection, row_id: int, **values: object) -> None:
    connection.execute(update(customers).where(customers.c.id == row_id).values(**values))


def end_grants(connection: Connection, row_id: int) -> None:
    """With all tokens of the customer."""
    for name in ("tokens", "oauth_grants"):
        table = metadata.tables[name]
        connection.execute(delete(table).where(table.c.customer_id == row_id))


def remove(connection: Connection, row_id: int) -> None:
    """With its claim codes; tokens go by themselves."""
    codes = metadata.tables["claim_codes"]
    connection.execute(delete(codes).where(codes.c.customer_id == row_id))
    connection.execute(delete(customers).where(customers.c.id == row_id))


def _one(connection: Connection, *where: ColumnElement[bool]) -> Customer | None:
    row = connection.execute(select(*_COLUMNS).where(*where)).first()
    return None if row is None else Customer(*row)
