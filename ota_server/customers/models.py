# SPDX-License-Identifier: Apache-2.0
"""Customers of products."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, String, Table, Text, UniqueConstraint

from ota_server.storage.schema import metadata

customers = Table(
    "customers",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("product_id", ForeignKey("products.id"), nullable=False),
    Column("email", String(200), nullable=False),
    Column("password_hash", Text, nullable=True),
    Column("account_id", ForeignKey("accounts.id"), nullable=True, index=True),
    Column("created_ms", BigInteger, nullable=False),
    Column("active_ms", BigInteger, nullable=True),
    UniqueConstraint("product_id", "email"),
    Index("ix_customers_product_active", "product_id", "active_ms"),
)


class Activity(StrEnum):
    """Whether a customer uses their devices."""

    ACTIVE = "active"
    LAPSED = "lapsed"
    """They did once."""
    NEVER = "never"


@dataclass(frozen=True, slots=True)
class Customer:
    """Somebody who may own devices of one product.

    Attributes:
        email: lower case; one customer of a product has it.
        password_hash: argon2id in its PHC form; None for who cannot sign in with a password of the product.
        account_id: the account this customer is, such as a team member's who claimed a device.
        active_ms: when it last asked for something.
    """

    id: int
    product_id: int
    email: str
    password_hash: str | None
    account_id: int | None
    created_ms: int
    active_ms: int | None
