# SPDX-License-Identifier: Apache-2.0
"""A person calls a device and waits for what it tells: for the API, and for the dashboard."""

from __future__ import annotations

import asyncio

from sqlalchemy import Connection

from ota_server.api.context import act
from ota_server.calls.models import CallKind, WaitingCall
from ota_server.calls.service import Value
from ota_server.devices.models import Device
from ota_server.organizations.access import Owner
from ota_server.products.models import Product
from ota_server.services import Services


async def call_function(
    services: Services, actor: Owner, row: Device, product: Product, function: str, argument: str
) -> Value:
    """Calls a function. Raises as `Calls.begin` and `Calls.wait`."""

    def begin(connection: Connection, now_ms: int) -> WaitingCall:
        return services.calls.begin(connection, row, CallKind.FUNCTION, function, argument, now_ms)

    # The argument may be a secret: the audit log says which function was called, no more.
    call = await asyncio.to_thread(act, services, actor, "device.call", row.device_id, begin, product, function[:64])
    return await services.calls.wait(product.id, call)


async def read_variable(services: Services, row: Device, product: Product, variable: str) -> Value:
    """Reads a variable, which is nothing to be audited. Raises as `Calls.begin` and `Calls.wait`."""

    def begin() -> WaitingCall:
        now_ms = services.clock.now_ms()
        call = services.database.write(
            lambda connection: services.calls.begin(connection, row, CallKind.VARIABLE, variable, "", now_ms)
        )
        services.feed.publish(product.id)
        return call

    return await services.calls.wait(product.id, await asyncio.to_thread(begin))
