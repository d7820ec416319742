# SPDX-License-Identifier: Apache-2.0
"""Rules for customers."""

from __future__ import annotations

from sqlalchemy import Connection

from ota_server.accounts.addresses import clean_email, normal_email
from ota_server.accounts.models import Account
from ota_server.customers import store
from ota_server.customers.models import Customer
from ota_server.errors import Conflict, NotFound
from ota_server.products.models import Product


def add(connection: Connection, product: Product, email: str, password_hash: str | None, now_ms: int) -> Customer:
    """Makes a customer of a product; without a password it cannot sign in with one.

    Raises:
        Invalid: not an address.
        Conflict: the product has a customer of this address.
    """
    email = clean_email(email)
    if store.by_email(connection, product.id, email) is not None:
        raise Conflict(f"{email} is a customer of {product.name} already")
    return store.add(connection, product.id, email, password_hash, None, now_ms)


def of_account(connection: Connection, product: Product, account: Account, now_ms: int) -> Customer:
    """The customer that an account is; becomes one if it is none.

    Raises:
        Conflict: the product has another customer of the account's address. Who made that one need not own the address.
    """
    found = store.by_email(connection, product.id, account.email)
    if found is None:
        return store.add(connection, product.id, account.email, None, account.id, now_ms)
    if found.account_id != account.id:
        raise Conflict(
            f"{account.email} is a customer of {product.name} without an account: remove that customer first"
        )
    return found


def find(connection: Connection, product: Product, email: str) -> Customer:
    """Raises NotFound."""
    found = store.by_email(connection, product.id, normal_email(email))
    if found is None:
        raise NotFound(f"product {product.id} has no customer {email}")
    return found


def set_password(connection: Connection, customer: Customer, password_hash: str) -> None:
    """Ends all that the customer signed in with before."""
    store.change(connection, customer.id, password_hash=password_hash)
    store.end_grants(connection, customer.id)


def remove(connection: Connection, customer: Customer) -> None:
    """Forgets a customer, with tokens and claim codes. Its devices must have no owner any more."""
    store.remove(connection, customer.id)
