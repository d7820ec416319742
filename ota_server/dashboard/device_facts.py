# SPDX-License-Identifier: Apache-2.0
"""What the pages show of a device: plain facts for the templates."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection

from muster.layout import platform_name
from ota_server.devices import service as devices_service
from ota_server.devices.models import Device
from ota_server.products.models import Product
from ota_server.rollouts import store as rollouts
from ota_server.rollouts.decide import Trace
from ota_server.rollouts.explain import explain
from ota_server.rollouts.models import Attempt
from ota_server.rollouts.outcomes import reason_text
from ota_server.telemetry import store as telemetry
from ota_server.telemetry.models import EventEntry, HistoryLine, LogEntry


@dataclass(frozen=True, slots=True)
class DevicePage:
    """One device."""

    device: Device
    is_online: bool
    fingerprint: str | None
    platform: str
    trace: Trace
    attempts: list[tuple[Attempt, str]]
    history: list[HistoryLine]
    logs: list[LogEntry]
    events: list[EventEntry]
    claimants: list[tuple[Device, str]]


def device_page(
    connection: Connection, product: Product, device_id: str, keyset_version: int, now_ms: int
) -> DevicePage:
    """Reads a device. Raises NotFound."""
    device = devices_service.find(connection, product, device_id)
    attempts = rollouts.attempts_of_device(connection, device.id)
    claims = devices_service.claimants(connection, product, device_id)
    return DevicePage(
        device=device,
        is_online=device.is_online(now_ms),
        fingerprint=None if device.public_key is None else devices_service.fingerprint(device.public_key),
        platform=platform_name(device.platform_id) if device.platform_id is not None else "unknown board",
        trace=explain(connection, product, device, keyset_version, now_ms),
        attempts=[(item, "" if item.reason is None else reason_text(item.reason)) for item in attempts],
        history=telemetry.history_of(connection, device.id),
        logs=telemetry.logs_of(connection, device.id, 100),
        events=telemetry.events_of(connection, device.id, 50),
        claimants=[
            (item, devices_service.fingerprint(item.public_key)) for item in claims if item.public_key is not None
        ],
    )
