# SPDX-License-Identifier: Apache-2.0
"""Taking devices out of a product without denying them."""

from __future__ import annotations

from sqlalchemy import Connection, delete

from ota_server.devices import claims, service, store
from ota_server.devices.models import NO_SESSION, group_devices
from ota_server.products.models import Product
from ota_server.rollouts import offers
from ota_server.rollouts import store as rollouts
from ota_server.telemetry import store as telemetry
from ota_server.telemetry.models import HistoryKind

_FORGOTTEN: dict[str, object] = {
    **NO_SESSION,
    "product_id": None,
    "public_key": None,
    "customer_id": None,
    "serial_number": None,
    "tags": "",
    "country": None,
    "open_attempt": None,
    "flash_image": None,
}


def remove(connection: Connection, product: Product, device_id: str, by: str, now_ms: int) -> None:
    """Takes a device and whoever claims its id out of the product: when it comes back it is a new device.

    What rollouts have counted of it stays: its rows are no product's any more. Raises NotFound.
    """
    service.find(connection, product, device_id)
    for row in store.with_id(connection, device_id.lower()):
        if row.product_id != product.id:
            continue
        attempt = None if row.open_attempt is None else rollouts.attempt_of(connection, row.id, row.open_attempt)
        if attempt is not None and attempt.is_open:
            offers.withdraw(connection, row, attempt, "The device was removed.", now_ms)
        connection.execute(delete(group_devices).where(group_devices.c.device_row == row.id))
        claims.forget_codes(connection, row.id)
        text = f"Removed from product {product.id} by {by}."
        telemetry.add_history(connection, row.id, now_ms, HistoryKind.CHANGED, text)
        store.change(connection, row.id, _FORGOTTEN)
