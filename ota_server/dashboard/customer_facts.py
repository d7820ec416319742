# SPDX-License-Identifier: Apache-2.0
"""What the pages show of customers: plain facts for the templates."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection

from ota_server.customers import store as customers
from ota_server.customers.models import Customer
from ota_server.devices import claims
from ota_server.devices.models import Device
from ota_server.figures import store as figures
from ota_server.products.models import Product


@dataclass(frozen=True, slots=True)
class CustomerFacts:
    """A customer with their devices; `online`: how many of these."""

    email: str
    signs_in_with: str
    active_ms: int | None
    devices: list[Device]
    online: int


def customers_page(
    connection: Connection, product: Product, search: str, page: int, per_page: int, now_ms: int
) -> tuple[list[CustomerFacts], int, int]:
    """One page of a product's customers by address, how many on all pages, and how many of the product are active."""
    rows, total = customers.of_product(connection, product.id, page, per_page, search)
    owned: dict[int, list[Device]] = {row.id: [] for row in rows}
    for device in claims.own(connection, rows):
        assert device.customer_id is not None, "these are theirs"
        owned[device.customer_id].append(device)
    found = [
        CustomerFacts(
            email=row.email,
            signs_in_with=_signs_in_with(row),
            active_ms=row.active_ms,
            devices=owned[row.id],
            online=sum(device.is_online(now_ms) for device in owned[row.id]),
        )
        for row in rows
    ]
    return found, total, customers.active_since(connection, product.id, now_ms - figures.ACTIVE_MS)


def _signs_in_with(customer: Customer) -> str:
    ways = (("a password", customer.password_hash is not None), ("an account here", customer.account_id is not None))
    return " or ".join(way for way, is_there in ways if is_there) or "your server"
