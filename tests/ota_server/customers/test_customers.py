# SPDX-License-Identifier: Apache-2.0
"""Customers of products."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TypeVar

import pytest
from sqlalchemy import Connection

from ota_server.accounts import store as accounts
from ota_server.accounts.models import Account
from ota_server.customers import service, store
from ota_server.errors import Conflict, Invalid, NotFound
from ota_server.products import store as products
from ota_server.products.models import Product
from tests.ota_server import keys
from tests.ota_server.conftest import EMAIL, Server

pytestmark = pytest.mark.both_databases

T = TypeVar("T")


class Shop:
    """A server's product with its customers."""

    def __init__(self, server: Server) -> None:
        server.product()
        self._write = server.services.database.write
        self.product = self.do(lambda c: products.get(c, keys.PRODUCT)) or pytest.fail("no product")
        self.ana: Account = self.do(lambda c: accounts.by_email(c, EMAIL)) or pytest.fail("no account")

    def do(self, work: Callable[[Connection], T]) -> T:
        return self._write(work)

    def add(self, email: str, product: Product | None = None) -> int:
        return self.do(lambda c: service.add(c, product or self.product, email, None, 5)).id


@pytest.fixture
def shop(server: Server) -> Shop:
    return Shop(server)


def test_an_address_is_one_customer_of_a_product(shop: Shop) -> None:
    made = shop.add("Kim@Example.com ")
    found = shop.do(lambda c: service.find(c, shop.product, "kim@example.COM"))
    assert (found.id, found.email, found.created_ms, found.active_ms) == (made, "kim@example.com", 5, None)
    with pytest.raises(Conflict):
        shop.add("kim@example.com")
    with pytest.raises(Invalid):
        shop.add("kim")
    with pytest.raises(NotFound):
        shop.do(lambda c: service.find(c, shop.product, "lee@example.com"))


def test_customers_come_in_pages_by_address(shop: Shop) -> None:
    for letter in "cab":
        shop.add(f"{letter}@example.com")
    pages = [shop.do(partial(store.of_product, product_id=keys.PRODUCT, page=page, per_page=2)) for page in (1, 2, 3)]
    assert [[one.email[0] for one in found] for found, _ in pages] == [["a", "b"], ["c"], []]
    assert {total for _, total in pages} == {3}


def test_an_account_becomes_a_customer_once(shop: Shop) -> None:
    first = shop.do(lambda c: service.of_account(c, shop.product, shop.ana, 5))
    assert (first.email, first.account_id, first.password_hash) == (EMAIL, shop.ana.id, None)
    assert shop.do(lambda c: service.of_account(c, shop.product, shop.ana, 6)) == first
    assert shop.do(lambda c: store.of_account(c, shop.ana.id)) == [first]


def test_an_account_is_not_the_customer_that_somebody_else_made_of_its_address(shop: Shop) -> None:
    shop.add(EMAIL)
    with pytest.raises(Conflict, match="remove that customer first"):
        shop.do(lambda c: service.of_account(c, shop.product, shop.ana, 5))


def test_a_product_is_removed_with_its_customers(server: Server, shop: Shop) -> None:
    customer = shop.add("kim@example.com")
    server.api("DELETE", f"/products/{keys.PRODUCT}", 204)
    assert shop.do(lambda c: store.by_row(c, customer)) is None
