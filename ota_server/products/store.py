# SPDX-License-Identifier: Apache-2.0
"""SQL for products."""

from __future__ import annotations

import os
from collections.abc import Collection
from dataclasses import fields

from sqlalchemy import ColumnElement, Connection, bindparam, delete, insert, or_, select, update

from muster.layout import ID_MAX
from ota_server.numbers import digits
from ota_server.products.models import Product, products
from ota_server.storage.schema import metadata

SETTINGS = (
    "name",
    "description",
    "auto_approve",
    "check_in_interval_s",
    "quarantine_max",
    "patch_wait",
    "claiming",
    "reprogrammers",
    "time_zone",
    "keep_logs_days",
    "keep_events_days",
)
"""What a product's team may set."""

_BY_ID = select(*(products.c[field.name] for field in fields(Product))).where(products.c.id == bindparam("number"))


def find(connection: Connection, name: str, organization_ids: Collection[int]) -> Product | None:
    """A product of these organizations by id or slug."""
    return _named(connection, name, products.c.organization_id.in_(organization_ids))


def find_among(connection: Connection, name: str, product_ids: Collection[int]) -> Product | None:
    """One of these products by id or slug."""
    return _named(connection, name, products.c.id.in_(product_ids))


def _named(connection: Connection, name: str, among: ColumnElement[bool]) -> Product | None:
    number = digits(name, ID_MAX)
    by_id = products.c.slug == name if number is None else products.c.id == number
    query = select(products).where(or_(by_id, products.c.slug == name), among).limit(1)
    row = connection.execute(query).mappings().first()
    return None if row is None else Product(**row)


def is_taken(connection: Connection, product_id: int, slug: str) -> bool:
    """Whether any organization has a product of this id or slug: both are the server's, not an organization's."""
    query = select(products.c.id).where(or_(products.c.id == product_id, products.c.slug == slug))
    return connection.execute(query).first() is not None


def get(connection: Connection, product_id: int) -> Product | None:
    row = connection.execute(_BY_ID, {"number": product_id}).first()
    return None if row is None else Product(*row)


def of_organizations(connection: Connection, organization_ids: Collection[int]) -> list[Product]:
    """All products of these organizations, by id."""
    query = select(products).where(products.c.organization_id.in_(organization_ids)).order_by(products.c.id)
    return [Product(**row) for row in connection.execute(query).mappings()]


def add(connection: Connection, product: Product) -> None:
    connection.execute(insert(products).values({name: getattr(product, name) for name in Product.__dataclass_fields__}))


def change(connection: Connection, product: Product) -> None:
    """Writes what a product's team may set."""
    values = {name: getattr(product, name) for name in SETTINGS}
    connection.execute(update(products).where(products.c.id == product.id).values(**values))
    plan_changed(connection, product.id)


def what_it_has(connection: Connection, product_id: int) -> str:
    """Names what keeps a product from being removed; empty when nothing does."""
    found = []
    for name in ("devices", "releases"):
        table = metadata.tables[name]
        if connection.execute(select(table.c.id).where(table.c.product_id == product_id).limit(1)).first():
            found.append(name)
    return " and ".join(found)


def remove(connection: Connection, product_id: int) -> None:
    """With its cohorts, groups, customers, events and webhooks. Nothing else may refer to it."""
    for name in ("cohorts", "groups", "customers", "events"):
        table = metadata.tables[name]
        connection.execute(delete(table).where(table.c.product_id == product_id))
    connection.execute(delete(products).where(products.c.id == product_id))


def set_default_version(connection: Connection, product_id: int, version: int | None) -> None:
    connection.execute(update(products).where(products.c.id == product_id).values(default_version=version))
    plan_changed(connection, product_id)


def plan_changed(connection: Connection, product_id: int) -> None:
    """Makes check-ins load the product's plan anew. A random token: a rolled-back change never looks like another."""
    connection.execute(update(products).where(products.c.id == product_id).values(plan_token=os.urandom(8)))
