# SPDX-License-Identifier: Apache-2.0
"""Says what a file is and what it holds: every format of docs/spec/ that lies in a file.

Facts are plain JSON values under the names of the glossary; bytes are lower-case hexadecimal. Private keys are left
out.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from muster.device import bootlog, hexfile
from muster.device.bootlog import BootLog, BootRecord
from muster.device.identity_page import IdentityPage
from muster.device.identity_stub import IdentityStub
from muster.device.record_store import Owner, RecordStore
from muster.errors import FormatError, IdentityPageError, ValueOutOfRange
from muster.image.image import Image
from muster.layout import (
    BOOTLOADER_ADDR,
    BOOTLOADER_SIZE_MAX,
    ERASED,
    FLASH_ADDR,
    FLASH_SIZE,
    IDENTITY_ADDR,
    IDENTITY_PAGE_SIZE,
    LOG_SECTORS,
    PREFIX_OFFSET,
    SECTOR_ADDRS,
    SECTOR_SIZES,
    SLOT_SIZE,
    STORE_SECTORS,
    Slot,
    platform_name,
)
from muster.signing.keys import PublicKey
from muster.signing.keyset import KeySet

JsonValue = str | int | bool | None | list["JsonValue"] | dict[str, "JsonValue"]
Facts = dict[str, JsonValue]

_BOOTLOADER_MAGIC = b"TOOB"
_PATCH_HEADER_SIZE_MAX = 20


@dataclass(frozen=True, slots=True)
class Inspection:
    """What a file is.

    Attributes:
        kind: `image`, `key set`, `patch`, `identity page`, `boot log`, `bootloader`, `flash` or `hex`.
        facts: what it holds.
    """

    kind: str
    facts: Facts


def inspect(raw: bytes) -> Inspection:
    """Recognizes a file by its bytes.

    Raises:
        FormatError: it is none of the formats, or is one and not valid.
    """
    for recognizes, kind, describe in _KINDS:
        if recognizes(raw):
            try:
                return Inspection(kind, describe(raw))
            except FormatError:
                # Some kinds are known by their length alone, which a patch may have too.
                if not _looks_like_patch(raw):
                    raise
    if _looks_like_patch(raw):
        return Inspection("patch", _patch_facts(raw))
    raise FormatError(
        "not a file of Muster: no image, key set, patch, identity page, boot log, bootloader, HEX or flash"
    )


def image_facts(image: Image) -> Facts:
    """The facts of an image."""
    manifest = image.manifest
    return {
        "identity": image.identity.hex(),
        "product_id": manifest.product_id,
        "product_version": manifest.product_version,
        "platform_id": manifest.platform_id,
        "platform": platform_name(manifest.platform_id),
        "hardware_lowest": manifest.hardware_lowest,
        "hardware_highest": manifest.hardware_highest,
        "security_counter": manifest.security_counter,
        "min_bootloader": manifest.min_bootloader,
        "length": len(image.raw),
        "reloc_start": manifest.reloc_start,
        "ext_start": manifest.ext_start,
        "relocated_words": len(image.reloc.words),
        "body_hash": manifest.body_hash.hex(),
        "signatures": [signature.key_id.hex() for signature in image.signatures],
    }


def keyset_facts(keyset: KeySet) -> Facts:
    """The facts of a key set; its signatures are not verified."""
    content = keyset.content
    return {
        "version": content.version,
        "release_threshold": content.release_threshold,
        "release_keys": _key_facts(content.release_keys),
        "online_keys": _key_facts(content.online_keys),
        "development_keys": _key_facts(content.development_keys),
        "root_threshold": content.roots.threshold,
        "root_keys": _key_facts(content.roots.keys),
        "signatures": [signature.key_id.hex() for signature in keyset.signatures],
    }


def identity_facts(page: IdentityPage | IdentityStub) -> Facts:
    """The facts of an identity page, without the device's private key; a stub has neither device id nor key."""
    whole = page if isinstance(page, IdentityPage) else None
    return {
        "product_id": page.product_id,
        "hardware_revision": page.hardware_revision,
        "lifecycle": page.lifecycle.name.lower(),
        "device_id": None if whole is None else whole.device_id.hex(),
        "device_key": None if whole is None else whole.device_key.public_key.raw.hex(),
        "root_threshold": page.roots.threshold,
        "root_keys": _key_facts(page.roots.keys),
    }


def record_facts(record: BootRecord) -> Facts:
    """The facts of a boot record."""
    return {
        "sequence": record.sequence,
        "type": record.type.name,
        "slot": record.slot.name,
        "reason": bootlog.reason_text(record.reason),
        "attempt": record.attempt,
        "identity": record.identity.hex(),
        "security_counter": record.security_counter,
    }


def bootlog_facts(log: BootLog) -> Facts:
    """The facts of a boot log, its records and what the bootloader concludes from them."""
    facts = log.facts
    return {
        "sector": log.sector,
        "generation": log.generation,
        "keyset_versions": [keyset.content.version for keyset in log.keysets],
        "free_places": bootlog.RECORD_PLACES - log.next_place,
        "confirmed": record_facts(facts.confirmed) if facts.confirmed is not None else None,
        "attempt_state": facts.state.value,
        "trial_count": facts.trial_count,
        "outcome": record_facts(facts.outcome) if facts.outcome is not None else None,
        "records": [record_facts(record) for record in log.records],
    }


def flash_facts(flash: bytes) -> Facts:
    """The facts of a chip's whole flash, 1 MiB; each part that is not valid says why under `error`.

    Raises:
        ValueOutOfRange: another length.
    """
    if len(flash) != FLASH_SIZE:
        raise ValueOutOfRange(f"the flash has {FLASH_SIZE} bytes, not {len(flash)}")

    def part(addr: int, size: int) -> bytes:
        return flash[addr - FLASH_ADDR : addr - FLASH_ADDR + size]

    def sectors(numbers: tuple[int, int]) -> tuple[bytes, bytes]:
        first, second = (part(SECTOR_ADDRS[number], SECTOR_SIZES[number]) for number in numbers)
        return first, second

    return {
        "bootloader": _part(part(BOOTLOADER_ADDR, BOOTLOADER_SIZE_MAX), _bootloader_facts),
        "identity_page": _part(part(IDENTITY_ADDR, IDENTITY_PAGE_SIZE), _identity_page_facts),
        "boot_log": _part(
            b"".join(sectors(LOG_SECTORS)), lambda _: bootlog_facts(BootLog.from_sectors(*sectors(LOG_SECTORS)))
        ),
        "record_store": _part(
            b"".join(sectors(STORE_SECTORS)), lambda _: _store_facts(RecordStore.from_sectors(*sectors(STORE_SECTORS)))
        ),
        "slot_a": _part(part(Slot.A.addr, SLOT_SIZE), lambda raw: image_facts(Image.from_slot(raw, Slot.A))),
        "slot_b": _part(part(Slot.B.addr, SLOT_SIZE), lambda raw: image_facts(Image.from_slot(raw, Slot.B))),
    }


def _part(raw: bytes, describe: Callable[[bytes], Facts]) -> Facts | None:
    """The facts of a part of the flash; None where it is erased."""
    if raw == bytes([ERASED]) * len(raw):
        return None
    try:
        return describe(raw)
    except (FormatError, ValueOutOfRange) as error:
        status = error.status
        return {"error": str(error), "status": status.c_name if status is not None else None}


def _bootloader_facts(raw: bytes) -> Facts:
    if raw[PREFIX_OFFSET : PREFIX_OFFSET + 4] != _BOOTLOADER_MAGIC:
        raise FormatError("no bootloader: TOOB is not at 0x184")
    version, platform_id = struct.unpack_from("<HH", raw, PREFIX_OFFSET + 4)
    return {
        "version": version,
        "platform_id": platform_id,
        "platform": platform_name(platform_id),
        "size": len(raw.rstrip(bytes([ERASED]))),
    }


def _store_facts(store: RecordStore) -> Facts:
    owners = {int(owner): owner.name.lower() for owner in Owner}
    return {
        "sector": store.sector,
        "generation": store.generation,
        "records": [
            {"owner": owners.get(record.owner, str(record.owner)), "key": record.key, "length": len(record.value)}
            for record in store.records
        ],
    }


def _looks_like_patch(raw: bytes) -> bool:
    """Patches have no magic number: the first byte names the format, and the header must hold."""
    # The decoder behind muster.delta is compiled code: only who may have a patch pays for loading it.
    from muster.delta import PatchHeader, PatchProfile

    try:
        header = PatchHeader.from_bytes(raw[:_PATCH_HEADER_SIZE_MAX])
    except FormatError:
        return False
    return header.profile in {profile.value for profile in PatchProfile}


def _patch_facts(raw: bytes) -> Facts:
    from muster.delta import PatchHeader

    header = PatchHeader.from_bytes(raw[:_PATCH_HEADER_SIZE_MAX])
    return {
        "content": header.kind.name.lower(),
        "profile": header.profile,
        "base_check": None if header.base_check is None else header.base_check.hex(),
        "target_check": header.target_check.hex(),
        "length_change": header.length_change,
        "reloc_change": header.reloc_change if header.kind.name == "IMAGE" else None,
        "load_base": None if header.load_base is None else f"0x{header.load_base:08X}",
        "header_size": header.size,
        "stream_size": len(raw) - header.size,
        "size": len(raw),
    }


def _identity_page_facts(raw: bytes) -> Facts:
    try:
        return identity_facts(IdentityPage.from_bytes(raw))
    except IdentityPageError:
        with suppress(IdentityPageError):
            return identity_facts(IdentityStub.from_bytes(raw))
        raise


def _boot_log_file_facts(raw: bytes) -> Facts:
    second = raw[bootlog.SECTOR_SIZE :] or bytes([ERASED]) * bootlog.SECTOR_SIZE
    return bootlog_facts(BootLog.from_sectors(raw[: bootlog.SECTOR_SIZE], second))


def _hex_facts(raw: bytes) -> Facts:
    segments = hexfile.segments_of(raw.decode("ascii", errors="replace"))
    flash = bytearray([ERASED]) * FLASH_SIZE
    for segment in segments:
        at = segment.addr - FLASH_ADDR
        if not 0 <= at <= FLASH_SIZE - len(segment.data):
            raise FormatError(f"the HEX file writes outside the flash, at 0x{segment.addr:08X}")
        flash[at : at + len(segment.data)] = segment.data
    return {
        "segments": [{"address": f"0x{segment.addr:08X}", "size": len(segment.data)} for segment in segments],
        **flash_facts(bytes(flash)),
    }


def _key_facts(keys: tuple[PublicKey, ...]) -> list[JsonValue]:
    return [{"key_id": key.key_id.hex(), "public_key": key.raw.hex()} for key in keys]


def _looks_like_image(raw: bytes) -> bool:
    start = raw[PREFIX_OFFSET : PREFIX_OFFSET + 4]
    return len(raw) <= SLOT_SIZE and start in (slot.addr.to_bytes(4, "little") for slot in Slot)


def _image_file_facts(raw: bytes) -> Facts:
    slot = Slot.B if raw[PREFIX_OFFSET : PREFIX_OFFSET + 4] == Slot.B.addr.to_bytes(4, "little") else Slot.A
    image = Image.from_bytes(raw) if slot is Slot.A else Image.from_slot(raw, slot)
    return {**image_facts(image), "linked_for": slot.name}


def _looks_like_boot_log(raw: bytes) -> bool:
    magic = bootlog.MAGIC.to_bytes(4, "little")
    sizes = (bootlog.SECTOR_SIZE, 2 * bootlog.SECTOR_SIZE)
    return len(raw) in sizes and magic in (raw[:4], raw[bootlog.SECTOR_SIZE : bootlog.SECTOR_SIZE + 4])


_KINDS: tuple[tuple[Callable[[bytes], bool], str, Callable[[bytes], Facts]], ...] = (
    (lambda raw: len(raw) == FLASH_SIZE, "flash", flash_facts),
    (lambda raw: raw.startswith(b":"), "hex", _hex_facts),
    (lambda raw: len(raw) == IDENTITY_PAGE_SIZE, "identity page", _identity_page_facts),
    (_looks_like_boot_log, "boot log", _boot_log_file_facts),
    (lambda raw: raw.startswith(b"\x82\x59"), "key set", lambda raw: keyset_facts(KeySet.from_bytes(raw))),
    (
        lambda raw: raw[PREFIX_OFFSET : PREFIX_OFFSET + 4] == _BOOTLOADER_MAGIC,
        "bootloader",
        _bootloader_facts,
    ),
    (_looks_like_image, "image", _image_file_facts),
)
