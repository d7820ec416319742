# SPDX-License-Identifier: Apache-2.0
"""Having a device show people which one it is, as Particle's tools do: a change whose only field is `signal`."""

from __future__ import annotations

import asyncio
from typing import Literal

from pydantic import BaseModel

from ota_server.api import views
from ota_server.api.context import act, device_for
from ota_server.calls.models import CallKind
from ota_server.errors import Invalid
from ota_server.organizations.access import Owner
from ota_server.organizations.roles import Permission
from ota_server.services import Services

SignalField = Literal["0", "1", 0, 1] | None


async def signal(services: Services, actor: Owner, product: str | None, device: str, changes: BaseModel) -> views.Json:
    """Asks the device, and waits until it does so. Raises as `device_for`, `Calls.begin` and `Calls.wait`."""
    if changes.model_fields_set != {"signal"}:
        raise Invalid("send a signal alone", "signal")
    argument = str(changes.model_dump()["signal"])
    row, owner = await asyncio.to_thread(device_for, services, actor, product, device, Permission.MANAGE_DEVICES)
    call = await asyncio.to_thread(
        act,
        services,
        actor,
        "device.signal",
        row.device_id,
        lambda connection, now_ms: services.calls.begin(connection, row, CallKind.SIGNAL, "", argument, now_ms),
        owner,
        argument,
    )
    await services.calls.wait(owner.id, call)
    return {"id": row.device_id, "connected": True, "signaling": argument == "1"}
