# SPDX-License-Identifier: Apache-2.0
"""What the decision knows of a device, and of an image that it could be offered."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass

from ota_server.devices.models import Device, DeviceStatus
from ota_server.times import UTC_ZONE


@dataclass(frozen=True, slots=True)
class Target:
    """An image that could be offered; the fields are those of its manifest, but for `is_killed`."""

    image_id: int
    identity: bytes
    version: int
    platform_id: int
    security_counter: int
    hardware_lowest: int
    hardware_highest: int
    min_bootloader: int
    size: int
    is_killed: bool = False


@dataclass(frozen=True, slots=True)
class DeviceFacts:
    """Everything about a device that decides.

    Attributes:
        device_id: 24 hexadecimal digits.
        is_trusted: not quarantined.
        identity: first 8 bytes of what it runs; None before it has told.
        boot_state: 0 confirmed, else the number of its trial.
        is_busy: it has staged an image, or confirmed one and not reported it.
        blocked: identities (16 bytes) that failed on it.
        groups: those of its groups that the plan names.
        flashed: an image for this device alone, while it is one for development.
        now_ms: when it is decided.
        health: metrics that it told: a JSON object.
        time_zone: whose clock is on its wall.
    """

    device_id: str
    is_trusted: bool
    development: bool
    locked_version: int | None
    platform_id: int | None
    identity: bytes | None
    product_version: int | None
    hardware_revision: int | None
    security_counter: int | None
    bootloader_version: int | None
    keyset_version: int | None
    boot_state: int | None
    is_busy: bool
    blocked: frozenset[bytes]
    groups: frozenset[str] = frozenset()
    flashed: Target | None = None
    now_ms: int = 0
    first_seen_ms: int | None = None
    serial_number: str | None = None
    customer_id: int | None = None
    tags: frozenset[str] = frozenset()
    country: str | None = None
    health: str = "{}"
    time_zone: str = UTC_ZONE


def facts_of(
    device: Device,
    groups: Collection[str],
    flashed: Target | None,
    is_busy: bool,
    now_ms: int,
    time_zone: str | None = None,
) -> DeviceFacts:
    """The facts of a device's row; what lies in other tables is brought along.

    Args:
        time_zone: of its product, for one that has none of its own.
    """
    return DeviceFacts(
        device_id=device.device_id,
        is_trusted=device.status is DeviceStatus.ACTIVE,
        development=device.development,
        locked_version=device.locked_version,
        platform_id=device.platform_id,
        identity=device.identity,
        product_version=device.product_version,
        hardware_revision=device.hardware_revision,
        security_counter=device.security_counter,
        bootloader_version=device.bootloader_version,
        keyset_version=device.keyset_version,
        boot_state=device.boot_state,
        is_busy=is_busy,
        blocked=frozenset(bytes.fromhex(item) for item in json.loads(device.blocked)),
        groups=frozenset(groups),
        flashed=flashed,
        now_ms=now_ms,
        first_seen_ms=device.first_seen_ms,
        serial_number=device.serial_number,
        customer_id=device.customer_id,
        tags=frozenset(device.tags.split()),
        country=device.country,
        health=device.health,
        time_zone=device.time_zone or time_zone or UTC_ZONE,
    )
