# SPDX-License-Identifier: Apache-2.0
"""Opening sessions: who is let in, who is quarantined, and that a replayed opening disturbs nothing."""

from __future__ import annotations

import os
from dataclasses import dataclass

from sqlalchemy import Connection, bindparam, delete, func, select

from muster.errors import KeySetRefused, ValueOutOfRange
from muster.layout import platform_name
from muster.protocol import KeySetReference, OpenRequest, SessionKeys, SessionRefused, accept_opening, opening_digest
from muster.protocol.opening import REFERENCES_MAX
from muster.signing.keyset import KeySet
from muster.signing.signer import Signer
from ota_server.devices import service, store
from ota_server.devices.models import Device, DeviceStatus, openings
from ota_server.errors import TooMany
from ota_server.products import store as products
from ota_server.products.models import Product
from ota_server.storage.blobs import BlobStore
from ota_server.storage.sql import insert_once
from ota_server.telemetry import store as telemetry
from ota_server.telemetry.models import HistoryKind
from ota_server.usage.service import has_room_for_device

OPENINGS_KEPT = 256
"""Openings remembered per device: a replay of one of them is refused without replacing the pending session."""
NEW_DEVICES_BURST = 20
NEW_DEVICES_PER_S = 2.0
"""How fast unknown devices may enter a product's quarantine."""

_NEWEST_OPENING = select(func.coalesce(func.max(openings.c.number), 0)).where(openings.c.device_row == bindparam("row"))
_FORGET_OPENINGS = delete(openings).where(
    openings.c.device_row == bindparam("row"), openings.c.number <= bindparam("last")
)


class KeySetChain:
    """Every key set, oldest first; each follows the one before.

    Raises:
        ValueOutOfRange: there is none, or versions do not rise.
    """

    def __init__(self, keysets: list[KeySet], served: BlobStore) -> None:
        versions = [keyset.content.version for keyset in keysets]
        if not versions or versions != sorted(set(versions)):
            raise ValueOutOfRange("key sets must have rising versions, and there must be one")
        self._references = []
        for keyset in keysets:
            raw = keyset.to_bytes()
            self._references.append(KeySetReference(keyset.content.version, served.put(raw), len(raw)))
        self.newest = keysets[-1]

    @property
    def version(self) -> int:
        return self.newest.content.version

    def above(self, version: int) -> tuple[KeySetReference, ...]:
        """References to the next sets that a device with this version lacks, as many as one answer carries."""
        return tuple(item for item in self._references if item.version > version)[:REFERENCES_MAX]

    def check_online_key(self, signer: Signer) -> None:
        """Raises KeySetRefused unless devices with the newest set would believe this online key."""
        if signer.public_key not in self.newest.content.online_keys:
            raise KeySetRefused(
                f"key set {self.version} does not name this server's online key {signer.public_key.raw.hex()}"
            )


@dataclass(frozen=True, slots=True)
class Opening:
    """An opening whose signature holds, and the answer that waits to be given if the device is let in."""

    request: OpenRequest
    digest: bytes
    answer: bytes
    keys: SessionKeys

    @property
    def device_id(self) -> str:
        return self.request.device_id.hex()


def prepare(raw: bytes, signer: Signer, chain: KeySetChain) -> Opening:
    """Checks an opening and makes its answer; touches no database.

    Raises:
        MessageFormatError: not of the form.
        SessionRefused: the signature or the key agreement does not hold.
    """
    request = OpenRequest.from_bytes(raw)
    answer, keys = accept_opening(raw, signer, os.urandom(32), os.urandom(8), chain.above(request.keyset_version))
    return Opening(request, opening_digest(raw), answer, keys)


class NewDeviceLimit:
    """How fast each product's quarantine may fill: a token bucket. Used by the writer thread only."""

    def __init__(self) -> None:
        self._buckets: dict[int, tuple[float, int]] = {}

    def take(self, product_id: int, now_ms: int) -> bool:
        tokens, then_ms = self._buckets.get(product_id, (float(NEW_DEVICES_BURST), now_ms))
        tokens = min(float(NEW_DEVICES_BURST), tokens + max(now_ms - then_ms, 0) / 1000 * NEW_DEVICES_PER_S)
        is_allowed = tokens >= 1
        self._buckets[product_id] = (tokens - 1 if is_allowed else tokens, now_ms)
        return is_allowed


def open_session(connection: Connection, opening: Opening, limit: NewDeviceLimit, now_ms: int) -> tuple[bytes, int]:
    """Lets a device in and keeps its new session as pending; returns the answer and the product's id.

    Raises:
        SessionRefused: a denied device, an unknown product, or a replay of an older opening.
        TooMany: the product's quarantine is full, or fills too fast.
    """
    request = opening.request
    device = _known(connection, opening)
    if device is None:
        device = _admit(connection, opening, limit, now_ms)
    if device.status is DeviceStatus.DENIED:
        raise SessionRefused("the device is denied")
    if opening.digest == device.pending_digest and device.pending_answer is not None:
        return device.pending_answer, device.product_id
    if opening.digest == device.session_digest and device.session_answer is not None:
        return device.session_answer, device.product_id
    _remember(connection, device, opening.digest)
    values: dict[str, object] = {
        "pending_id": opening.keys.session_id,
        "pending_key": opening.keys.key,
        "pending_digest": opening.digest,
        "pending_answer": opening.answer,
        "last_opened_ms": now_ms,
    }
    if device.platform_id is None and request.product_id == device.product_id:
        values["platform_id"] = request.platform_id
    store.change(connection, device.id, values)
    _check_claims(connection, device, request, now_ms)
    return opening.answer, device.product_id


def _known(connection: Connection, opening: Opening) -> Device | None:
    """The row of this device id with this key."""
    for row in store.with_id(connection, opening.device_id):
        if row.public_key == opening.request.device_key:
            return row
    return None


def _admit(connection: Connection, opening: Opening, limit: NewDeviceLimit, now_ms: int) -> Device:
    """A row for a key that is not known for this id: quarantined, unless the product approves by itself."""
    request = opening.request
    product = products.get(connection, request.product_id)
    if product is None:
        raise SessionRefused("an unknown device of an unknown product")
    same_id = [row for row in store.with_id(connection, opening.device_id) if row.status is not DeviceStatus.DENIED]
    same_key = store.with_key(connection, request.device_key)
    expected = [row for row in same_id if row.status is DeviceStatus.EXPECTED and row.product_id == product.id]
    is_claim = bool(same_key) or any(row.status is not DeviceStatus.EXPECTED for row in same_id)
    # Those that are expected are counted already.
    has_room = bool(expected) or has_room_for_device(connection, product.organization_id)
    is_trusted = product.auto_approve and not is_claim and has_room
    if not is_trusted:
        _check_room(connection, product, limit, now_ms)
    reason = "" if is_trusted else _why(opening, same_id, same_key)
    status = DeviceStatus.ACTIVE if is_trusted else DeviceStatus.QUARANTINED
    values: dict[str, object] = {
        "public_key": request.device_key,
        "platform_id": request.platform_id,
        "first_seen_ms": now_ms,
        "quarantine_reason": reason,
    }
    text = "Approved by itself, as its product wishes." if is_trusted else reason
    if expected and not is_claim:
        service.move(connection, expected[0], status, text, now_ms, values)
        row_id = expected[0].id
    else:
        row_id = store.add(
            connection, {"device_id": opening.device_id, "product_id": product.id, "status": status, **values}
        )
        kind = HistoryKind.CHANGED if is_trusted else HistoryKind.QUARANTINED
        telemetry.add_history(connection, row_id, now_ms, kind, text)
    device = store.by_row(connection, row_id)
    assert device is not None
    return device


def _check_room(connection: Connection, product: Product, limit: NewDeviceLimit, now_ms: int) -> None:
    if store.count_quarantined(connection, product.id) >= product.quarantine_max:
        raise TooMany(f"the quarantine of product {product.id} is full", retry_after_s=3600)
    if not limit.take(product.id, now_ms):
        raise TooMany(f"too many new devices of product {product.id} at once", retry_after_s=60)


def _why(opening: Opening, same_id: list[Device], same_key: list[Device]) -> str:
    mark = service.fingerprint(opening.request.device_key)[:16]
    if same_key:
        return f"Its key {mark} is also the key of device {same_key[0].device_id}."
    if any(row.status is DeviceStatus.ACTIVE for row in same_id):
        return f"A second key, {mark}, claims this id."
    return f"A device not known before, with key {mark}."


def _check_claims(connection: Connection, device: Device, request: OpenRequest, now_ms: int) -> None:
    """A device that reports another product or platform than it is known by is quarantined."""
    if device.status is not DeviceStatus.ACTIVE:
        return
    reason = None
    if request.product_id != device.product_id:
        reason = f"It says it is of product {request.product_id}, not {device.product_id}."
    elif device.platform_id is not None and request.platform_id != device.platform_id:
        says, known = platform_name(request.platform_id), platform_name(device.platform_id)
        reason = f"It says it is a {says}, not a {known}."
    if reason is not None:
        service.move(connection, device, DeviceStatus.QUARANTINED, reason, now_ms, {"quarantine_reason": reason})


def _remember(connection: Connection, device: Device, digest: bytes) -> None:
    newest = connection.execute(_NEWEST_OPENING, {"row": device.id}).scalar_one()
    if not insert_once(connection, openings, {"device_row": device.id, "digest": digest, "number": newest + 1}):
        raise SessionRefused("an opening that was seen before")
    if newest >= OPENINGS_KEPT:
        connection.execute(_FORGET_OPENINGS, {"row": device.id, "last": newest + 1 - OPENINGS_KEPT})
