# SPDX-License-Identifier: Apache-2.0
"""Rules for devices: importing, approving, denying and settings."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from muster.signing.keys import PublicKey
from ota_server.devices import store
from ota_server.devices.labels import tags_text
from ota_server.devices.models import DEVICE_MOVES, NO_SESSION, Device, DeviceStatus
from ota_server.errors import Conflict, Invalid, NotFound
from ota_server.moves import check_move
from ota_server.products.models import Product
from ota_server.telemetry import store as telemetry
from ota_server.telemetry.models import HistoryKind
from ota_server.times import check_time_zone
from ota_server.usage.service import check_devices

DEVICE_ID = re.compile(r"[0-9a-f]{24}")
FINGERPRINT = re.compile(r"[0-9a-f]{16,64}")
IMPORT_MAX = 10_000
NOTES_MAX = 4000
SERIAL_NUMBER = re.compile(r"[!-~]{1,64}")
WATCH_MAX_S = 366 * 24 * 3600

_TRUSTED = (DeviceStatus.EXPECTED, DeviceStatus.ACTIVE)
STEERING = frozenset({"tags", "country", "development", "locked_version"})
"""Facts that may decide which version a device gets."""
_STAYING = ("customer_id", "serial_number")
_COPIED = (*_STAYING, "time_zone", "tags", "country")
"""What stays with a device whose key is replaced; the first of it is its alone."""


@dataclass(frozen=True, slots=True)
class ImportLine:
    """One device to import: its id, and its public key when it is known."""

    device_id: str
    public_key: bytes | None


@dataclass(frozen=True, slots=True)
class ImportResult:
    """What an import did; every id is in one of the collections. `refused`: with why."""

    updated: list[str]
    existing: list[str]
    refused: dict[str, str]


def fingerprint(public_key: bytes) -> str:
    """What a person compares: SHA-256 of the public key, hexadecimal."""
    return PublicKey(public_key).fingerprint


def parse_import(lines: Sequence[str]) -> tuple[list[ImportLine], list[str]]:
    """Reads lines of `id` or `id key`, hexadecimal, space or comma between; also returns those that are neither."""
    if len(lines) > IMPORT_MAX:
        raise Invalid(f"at most {IMPORT_MAX} devices are imported at once", "file")
    good: list[ImportLine] = []
    bad: list[str] = []
    for line in (line.strip() for line in lines):
        if not line:
            continue
        match = re.fullmatch(r"([0-9a-f]{24})(?:[\s,;]+([0-9a-f]{64}))?", line.lower())
        if match is None:
            bad.append(line[:120])
        else:
            key = match.group(2)
            good.append(ImportLine(match.group(1), None if key is None else bytes.fromhex(key)))
    return good, bad


def import_devices(
    connection: Connection, product: Product, lines: Sequence[ImportLine], by: str, now_ms: int
) -> ImportResult:
    """Makes devices known to a product. An id alone of a quarantined device approves it, as in Particle's API.

    An id with two claimants, or of another product, is refused: somebody has to look.
    """
    result = ImportResult([], [], {})
    for line in lines:
        try:
            changed = import_one(connection, product, line, by, now_ms)
        except Conflict as error:
            result.refused[line.device_id] = str(error)
        else:
            (result.updated if changed else result.existing).append(line.device_id)
    check_devices(connection, product.organization_id)
    return result


def find(connection: Connection, product: Product, device_id: str) -> Device:
    """The device of an id; of several rows the trusted one, else the newest claimant. Raises NotFound."""
    rows = [row for row in store.with_id(connection, device_id.lower()) if row.product_id == product.id]
    if not rows:
        raise NotFound(f"product {product.id} has no device {device_id}")
    trusted = [row for row in rows if row.status in _TRUSTED]
    return trusted[0] if trusted else rows[-1]


def claimants(connection: Connection, product: Product, device_id: str) -> list[Device]:
    """Quarantined rows of an id."""
    rows = store.with_id(connection, device_id.lower())
    return [row for row in rows if row.status is DeviceStatus.QUARANTINED and row.product_id == product.id]


def approve(
    connection: Connection, product: Product, device_id: str, digits: str | None, by: str, now_ms: int
) -> Device:
    """Trusts a quarantined key. With several claimants its fingerprint must be given, at least 16 digits of it.

    An approved second key takes the place of the first one, whose sessions end.

    Raises:
        NotFound, Invalid: no such device; not a fingerprint.
        Conflict: nothing to approve, several claimants, or a key that is another device's too.
    """
    waiting = claimants(connection, product, device_id)
    if digits is not None:
        if not FINGERPRINT.fullmatch(digits.lower()):
            raise Invalid("a fingerprint has 16 to 64 hexadecimal digits", "fingerprint")
        waiting = [row for row in waiting if row.public_key and fingerprint(row.public_key).startswith(digits.lower())]
    if not waiting:
        find(connection, product, device_id)
        raise Conflict(f"device {device_id} has no quarantined key" + (" of that fingerprint" if digits else ""))
    if len(waiting) > 1:
        raise Conflict(f"{len(waiting)} keys claim device {device_id}: name one by its fingerprint")
    candidate = waiting[0]
    assert candidate.public_key is not None
    others = [row for row in store.with_key(connection, candidate.public_key) if row.id != candidate.id]
    if any(row.status in _TRUSTED for row in others):
        raise Conflict(f"this key is also the key of device {others[0].device_id}: a key belongs to one device")
    for row in store.with_id(connection, device_id.lower()):
        if row.id != candidate.id and row.status in _TRUSTED:
            text = f"{by} approved another key for this id."
            leaving = dict.fromkeys(_STAYING)
            move(connection, row, DeviceStatus.DENIED, text, now_ms, {**NO_SESSION, "open_attempt": None, **leaving})
            store.change(connection, candidate.id, {name: getattr(row, name) for name in _COPIED})
    move(connection, candidate, DeviceStatus.ACTIVE, f"Approved by {by}.", now_ms, {"quarantine_reason": ""})
    check_devices(connection, product.organization_id)
    return find(connection, product, device_id)


def deny(connection: Connection, product: Product, device_id: str, by: str, now_ms: int) -> Device:
    """Refuses a device for good: it may not open sessions. Raises NotFound, Conflict."""
    deny_row(connection, find(connection, product, device_id), by, now_ms)
    return find(connection, product, device_id)


def deny_row(connection: Connection, device: Device, by: str, now_ms: int) -> None:
    """Refuses one key of an id. Raises Conflict."""
    move(connection, device, DeviceStatus.DENIED, f"Denied by {by}.", now_ms, NO_SESSION)


def set_facts(
    connection: Connection, product: Product, device_id: str, changes: dict[str, object], by: str, now_ms: int
) -> Device:
    """Sets name, notes, serial number, time zone, tags, country, development or locked version of a device.

    Raises:
        NotFound, Invalid: no such device; a value is not legal.
        Conflict: another device of the product has the serial number.
    """
    device = find(connection, product, device_id)
    for field, longest in (("name", 100), ("notes", NOTES_MAX)):
        value = changes.get(field, "")
        if not isinstance(value, str) or len(value) > longest:
            raise Invalid(f"{field} has at most {longest} characters", field)
    serial_number = changes.get("serial_number")
    if isinstance(serial_number, str):
        _check_serial_number(connection, device, serial_number)
    if changes.get("time_zone") is not None:
        check_time_zone(changes["time_zone"], "time_zone")
    if changes:
        ends_flash = {"flash_image": None} if changes.get("development") is False else {}
        store.change(connection, device.id, {**changes, **ends_flash})
        words = ", ".join(
            "notes" if key == "notes" else f"{key.replace('_', ' ')} = {value}"
            for key, value in sorted(changes.items())
        )
        telemetry.add_history(connection, device.id, now_ms, HistoryKind.CHANGED, f"{by} set {words}.")
    return find(connection, product, device_id)


def change_tags(
    connection: Connection,
    product: Product,
    device_ids: Sequence[str],
    add: Collection[str],
    take: Collection[str],
    by: str,
    now_ms: int,
) -> None:
    """Gives tags to devices and takes others away. Raises NotFound, Invalid; then nothing is changed."""
    for device_id in device_ids:
        before = find(connection, product, device_id).tags
        after = tags_text({*before.split(), *add} - set(take))
        if after != before:
            set_facts(connection, product, device_id, {"tags": after}, by, now_ms)


def watch_until(connection: Connection, device: Device, until_ms: int) -> None:
    """Has a device answer at once until then at least: at its next check-in it begins to hold the line."""
    if device.watched_until_ms is None or device.watched_until_ms < until_ms:
        store.change(connection, device.id, {"watched_until_ms": until_ms})


def watch(connection: Connection, product: Product, device_id: str, seconds: int, now_ms: int) -> Device:
    """Has a device answer at once for so long from now on; 0 ends it. Raises NotFound, Invalid."""
    if not 0 <= seconds <= WATCH_MAX_S:
        raise Invalid(f"a device is watched for 0 to {WATCH_MAX_S} seconds", "seconds")
    device = find(connection, product, device_id)
    if seconds or device.watched_until_ms is not None:
        store.change(connection, device.id, {"watched_until_ms": now_ms + 1000 * seconds})
    return find(connection, product, device_id)


def move(
    connection: Connection, device: Device, status: DeviceStatus, text: str, now_ms: int, values: dict[str, object]
) -> None:
    """The one place that changes a device's status. Raises Conflict for a move that is not allowed."""
    check_move(DEVICE_MOVES, f"device {device.device_id}", device.status, status)
    store.change(connection, device.id, {"status": status, **values})
    kind = HistoryKind.QUARANTINED if status is DeviceStatus.QUARANTINED else HistoryKind.CHANGED
    telemetry.add_history(connection, device.id, now_ms, kind, text)


def make_id(connection: Connection, product: Product, by: str, now_ms: int) -> Device:
    """Makes up an id, for a device that has none of its own yet. It is expected."""
    line = ImportLine(os.urandom(12).hex(), None)
    _add(connection, product, line, DeviceStatus.EXPECTED, f"Its id was made by {by}.", now_ms)
    check_devices(connection, product.organization_id)
    return find(connection, product, line.device_id)


def _check_serial_number(connection: Connection, device: Device, serial_number: str) -> None:
    if not SERIAL_NUMBER.fullmatch(serial_number):
        raise Invalid("a serial number has 1 to 64 characters of ASCII without spaces", "serial_number")
    other = store.with_serial_number(connection, [device.product_id], serial_number)
    if other is not None and other.id != device.id:
        raise Conflict(f"device {other.device_id} has the serial number {serial_number}")


def import_one(connection: Connection, product: Product, line: ImportLine, by: str, now_ms: int) -> bool:
    """Makes one device known; False when it was. One that is denied stays so until it is approved.

    Raises:
        Conflict: it, or its key, is another's.
    """
    rows = store.with_id(connection, line.device_id)
    trusted = [row for row in rows if row.status in _TRUSTED]
    if any(row.product_id != product.id for row in rows):
        raise Conflict("the device is another product's")
    if trusted and trusted[0].status is DeviceStatus.ACTIVE:
        if line.public_key is not None and trusted[0].public_key != line.public_key:
            raise Conflict("the device is known by another key")
        return False
    if line.public_key is not None:
        return _import_with_key(connection, product, line, rows, by, now_ms)
    waiting = [row for row in rows if row.status is DeviceStatus.QUARANTINED]
    if waiting:
        approve(connection, product, line.device_id, None, by, now_ms)
        return True
    if rows:
        return False
    _add(connection, product, line, DeviceStatus.EXPECTED, f"Imported by {by}; its key is not known yet.", now_ms)
    return True


def _import_with_key(
    connection: Connection, product: Product, line: ImportLine, rows: Sequence[Device], by: str, now_ms: int
) -> bool:
    assert line.public_key is not None
    if any(row.device_id != line.device_id for row in store.with_key(connection, line.public_key)):
        raise Conflict("the key is another device's")
    same = [row for row in rows if row.public_key == line.public_key]
    if same and same[0].status is DeviceStatus.DENIED:
        return False
    if same:
        move(connection, same[0], DeviceStatus.ACTIVE, f"Imported by {by}.", now_ms, {"quarantine_reason": ""})
        return True
    expected = [row for row in rows if row.status is DeviceStatus.EXPECTED]
    if expected:
        values: dict[str, object] = {"public_key": line.public_key}
        move(connection, expected[0], DeviceStatus.ACTIVE, f"Imported with its key by {by}.", now_ms, values)
        return True
    _add(connection, product, line, DeviceStatus.ACTIVE, f"Imported with its key by {by}.", now_ms)
    return True


def _add(
    connection: Connection, product: Product, line: ImportLine, status: DeviceStatus, text: str, now_ms: int
) -> None:
    row = store.add(
        connection,
        {
            "device_id": line.device_id,
            "public_key": line.public_key,
            "product_id": product.id,
            "status": status,
        },
    )
    telemetry.add_history(connection, row, now_ms, HistoryKind.CHANGED, text)
