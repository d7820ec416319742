# SPDX-License-Identifier: Apache-2.0
"""An image for one device for development: offered to it at its next check-in, and to no other device."""

from __future__ import annotations

import json

from sqlalchemy import Connection

from muster.layout import IDENTITY_PREFIX_SIZE, platform_name
from ota_server.devices import service as devices
from ota_server.devices import store as devices_store
from ota_server.devices.models import Device
from ota_server.errors import Conflict, Invalid
from ota_server.products.models import Product
from ota_server.releases import service as releases
from ota_server.releases.models import StoredImage
from ota_server.releases.service import CheckedUpload
from ota_server.rollouts.decide import refusal
from ota_server.rollouts.facts import facts_of
from ota_server.rollouts.plan import target_of
from ota_server.telemetry import store as telemetry
from ota_server.telemetry.models import HistoryKind


def flash(
    connection: Connection,
    product: Product,
    device_id: str,
    checked: CheckedUpload,
    now_ms: int,
) -> Device:
    """Has a device offered an image that passed `check_upload`, in place of the one before.

    Raises:
        NotFound: no such device.
        Invalid: the image is for another platform.
        Conflict: it is not a device for development, or it could not take the image.
    """
    device = devices.find(connection, product, device_id)
    if not device.development:
        raise Conflict(f"device {device.device_id} is not marked for development: nothing is flashed to it")
    manifest = checked.image.manifest
    if device.platform_id is not None and device.platform_id != manifest.platform_id:
        needed, given = platform_name(device.platform_id), platform_name(manifest.platform_id)
        raise Invalid(f"the image is for {given}, the device is a {needed}", "file")
    image = releases.add_for_development(connection, product, checked, now_ms)
    devices_store.change(connection, device.id, {"flash_image": image.id, "blocked": _without(device, image)})
    device = devices.find(connection, product, device_id)
    target = target_of(image)
    refused = None if device.identity is None else refusal(facts_of(device, (), target, False, now_ms), target)
    if refused is not None:
        raise Conflict(f"device {device.device_id} would not take it: {refused.why}")
    text = f"{checked.upload.by} flashes version {manifest.product_version}, {image.identity.hex()[:16]}."
    telemetry.add_history(connection, device.id, now_ms, HistoryKind.CHANGED, text)
    return device


def _without(device: Device, image: StoredImage) -> str:
    """What is not offered to the device again, but for this image: who flashes it wants it tried."""
    failed = image.identity[:IDENTITY_PREFIX_SIZE].hex()
    return json.dumps([one for one in json.loads(device.blocked) if one != failed])
