# SPDX-License-Identifier: Apache-2.0
"""What the pages show of customers: plain facts for the templates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from ota_server.customers import service
from ota_server.customers import store as customers
from ota_server.customers.models import Activity, Customer
from ota_server.dashboard.frame import ROWS_PER_PAGE
from ota_server.devices import claims
from ota_server.devices.models import Device
from ota_server.figures import store as figures
from ota_server.products.models import Product


@dataclass(frozen=True, slots=True)
class CustomerFacts:
    """A customer with their devices; `online`: how many of these."""

    email: str
    signs_in_with: str
    created_ms: int
    active_ms: int | None
    devices: list[Device]
    online: int


@dataclass(frozen=True, slots=True)
class CustomersPage:
    """One page of customers by address. `total`: on all pages; `counts`: of the product, whatever is searched."""

    customers: Sequence[CustomerFacts]
    total: int
    counts: Mapping[Activity, int]


def customers_page(
    connection: Connection, product: Product, search: str, activity: Activity | None, page: int, now_ms: int
) -> CustomersPage:
    """Reads a page."""
    since_ms = now_ms - figures.ACTIVE_MS
    wanted = None if activity is None else (activity, since_ms)
    rows, total = customers.of_product(connection, product.id, page, ROWS_PER_PAGE, search, wanted)
    counts = customers.count_by_activity(connection, product.id, since_ms)
    return CustomersPage(_facts(connection, rows, now_ms), total, counts)


def customer_page(connection: Connection, product: Product, email: str, now_ms: int) -> CustomerFacts:
    """Reads one customer. Raises NotFound."""
    return _facts(connection, [service.find(connection, product, email)], now_ms)[0]


def _facts(connection: Connection, rows: Sequence[Customer], now_ms: int) -> list[CustomerFacts]:
    owned: dict[int, list[Device]] = {row.id: [] for row in rows}
    for device in claims.own(connection, rows):
        assert device.customer_id is not None, "these are theirs"
        owned[device.customer_id].append(device)
    return [
        CustomerFacts(
            email=row.email,
            signs_in_with=_signs_in_with(row),
            created_ms=row.created_ms,
            active_ms=row.active_ms,
            devices=owned[row.id],
            online=sum(device.is_online(now_ms) for device in owned[row.id]),
        )
        for row in rows
    ]


def _signs_in_with(customer: Customer) -> str:
    ways = (("a password", customer.password_hash is not None), ("an account here", customer.account_id is not None))
    return " or ".join(way for way, is_there in ways if is_there) or "your server"
