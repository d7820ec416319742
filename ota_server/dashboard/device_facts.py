# SPDX-License-Identifier: Apache-2.0
"""What the pages show of a device: plain facts for the templates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from muster.layout import platform_name
from ota_server.dashboard.device_list_facts import state_of
from ota_server.dashboard.device_timeline import Asked, Timeline, duration, timeline
from ota_server.devices import claims, groups
from ota_server.devices import service as devices_service
from ota_server.devices.models import Device
from ota_server.products.models import Product
from ota_server.releases import store as releases
from ota_server.rollouts import store as rollouts
from ota_server.rollouts.decide import Trace
from ota_server.rollouts.explain import explain
from ota_server.rollouts.models import Attempt
from ota_server.rollouts.outcomes import reason_text
from ota_server.telemetry import product_log
from ota_server.telemetry.models import HistoryKind
from ota_server.telemetry.product_log import Entry, EntryKind, Level, Wanted

LOG_SHOWN = 60
UPDATES_SHOWN = 10
VERSIONS_SHOWN = 10


@dataclass(frozen=True, slots=True)
class Update:
    """One attempt. `took`: from its offer to its end, in words; nothing while it goes on."""

    attempt: Attempt
    version: int | None
    took: str
    why: str


@dataclass(frozen=True, slots=True)
class DevicePage:
    """One device.

    Attributes:
        state: a name in `render.STATES`.
        claimants: rows that wait for approval, with their fingerprints.
        versions: when it began to run which.
    """

    device: Device
    state: str
    fingerprint: str | None
    platform: str
    groups: Sequence[str]
    owner: str | None
    trace: Trace
    claimants: Sequence[tuple[Device, str]]
    timeline: Timeline
    logs: Sequence[Entry]
    updates: Sequence[Update]
    versions: Sequence[Entry]


def device_page(
    connection: Connection, product: Product, device_id: str, keyset_version: int, now_ms: int, asked: Asked
) -> DevicePage:
    """Reads a device. Raises NotFound, Invalid."""
    device = devices_service.find(connection, product, device_id)
    attempts = rollouts.attempts_of_device(connection, device.id)
    owners = claims.owners_of(connection, [device])
    level = Level[asked.level.upper()]
    logs = Wanted(frozenset({EntryKind.LOG}), level, device.id)
    versions = Wanted(frozenset({EntryKind.HISTORY}), device_row=device.id, name=HistoryKind.VERSION.value)
    return DevicePage(
        device=device,
        state=state_of(device, now_ms),
        fingerprint=None if device.public_key is None else devices_service.fingerprint(device.public_key),
        platform=platform_name(device.platform_id) if device.platform_id is not None else "unknown board",
        groups=groups.of_devices(connection, [device.id]).get(device.id, []),
        owner=None if device.customer_id is None else owners[device.customer_id].email,
        trace=explain(connection, product, device, keyset_version, now_ms),
        claimants=[
            (item, devices_service.fingerprint(item.public_key))
            for item in devices_service.claimants(connection, product, device_id)
            if item.public_key is not None
        ],
        timeline=timeline(connection, product, device, attempts, asked),
        logs=product_log.read(connection, product.id, logs, LOG_SHOWN).entries,
        updates=_updates(connection, attempts[:UPDATES_SHOWN]),
        versions=product_log.read(connection, product.id, versions, VERSIONS_SHOWN).entries,
    )


def _updates(connection: Connection, attempts: Sequence[Attempt]) -> list[Update]:
    images = {attempt.target_image: releases.image_by_row(connection, attempt.target_image) for attempt in attempts}
    found = []
    for attempt in attempts:
        image = images[attempt.target_image]
        ended = attempt.ended_ms
        took = "" if ended is None else duration((ended - attempt.offered_ms) // 1000)
        why = "" if attempt.reason is None else reason_text(attempt.reason)
        found.append(Update(attempt, None if image is None else image.version, took, why))
    return found
