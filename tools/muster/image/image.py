# SPDX-License-Identifier: Apache-2.0
"""A whole image, in canonical form or as it lies in a slot (docs/spec/image.md)."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterable
from dataclasses import dataclass, field

from muster.errors import ImageFormatError
from muster.image.extension import ExtensionArea
from muster.image.manifest import Manifest
from muster.image.prefix import Prefix
from muster.image.reloc import RelocationTable
from muster.image.suffix import Suffix
from muster.layout import (
    BODY_MIN_SIZE,
    EXTENSION_SIZE,
    IMAGE_MIN_SIZE,
    PREFIX_OFFSET,
    SLOT_SIZE,
    SUFFIX_SIZE,
    TAIL_SIZE,
    Slot,
)
from muster.signing.cose import CoseSign1
from muster.status import OtaStatus


@dataclass(frozen=True, slots=True)
class Image:
    """A canonical image that has passed checks 1 to 6 of docs/spec/image.md section 6.

    Nothing is said about its signatures: see `muster.signing.verify`.

    Attributes:
        raw: the canonical bytes.
        manifest, reloc, signatures: what they hold.

    Raises:
        ImageFormatError, ManifestError, RelocationError: a check fails; `status` is what a device answers.
    """

    raw: bytes
    manifest: Manifest = field(init=False, compare=False, repr=False)
    reloc: RelocationTable = field(init=False, compare=False, repr=False)
    signatures: tuple[CoseSign1, ...] = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        stored = _StoredImage(self.raw, Slot.A)
        if stored.length != len(self.raw):
            raise ImageFormatError(
                f"the image says it has {stored.length} bytes and has {len(self.raw)}", OtaStatus.ERR_IMAGE_LENGTH
            )
        stored.check()
        object.__setattr__(self, "manifest", stored.manifest)
        object.__setattr__(self, "reloc", stored.reloc)
        object.__setattr__(self, "signatures", stored.signatures)

    @classmethod
    def from_bytes(cls, raw: bytes) -> Image:
        """Checks and parses a canonical image; `raw` is the image and nothing more."""
        return cls(bytes(raw))

    @classmethod
    def from_slot(cls, raw: bytes, slot: Slot) -> Image:
        """Checks and parses an image as installed in `slot`.

        `raw` begins at the slot's first byte; what follows the image is not looked at.
        """
        stored = _StoredImage(bytes(raw[:SLOT_SIZE]), slot)
        stored.check()
        return cls(stored.canonical)

    @property
    def identity(self) -> bytes:
        """SHA-256 of the manifest's bytes, 32 bytes."""
        return self.manifest.identity

    @property
    def body(self) -> bytes:
        """The canonical bytes `[0, ext_start)`: what the manifest's hash covers and a patch's first part makes."""
        return self.raw[: self.manifest.ext_start]

    def installed_in(self, slot: Slot) -> bytes:
        """The bytes that a slot holds when the image is installed there."""
        return self.reloc.apply(self.raw, slot)

    def with_signatures(self, signatures: Iterable[CoseSign1]) -> Image:
        """The same image with more signatures; one by the same key is replaced.

        Raises:
            ValueOutOfRange: there would be more than four.
        """
        by_key = {signature.key_id: signature for signature in (*self.signatures, *signatures)}
        return seal(self.body, self.manifest, [by_key[key_id] for key_id in sorted(by_key)])

    def without_signatures(self) -> Image:
        """The same image, unsigned."""
        return seal(self.body, self.manifest, [])


def seal(body: bytes, manifest: Manifest, signatures: Iterable[CoseSign1]) -> Image:
    """Closes a canonical body `[0, ext_start)` with extension area and suffix.

    Raises:
        ValueOutOfRange: the signatures are too many or not in rising order.
        ImageFormatError, ManifestError, RelocationError: body and manifest do not belong together.
    """
    area = ExtensionArea(manifest.to_bytes(), tuple(signatures), manifest.product_id, manifest.product_version)
    before = body + area.to_bytes()
    return Image(before + Suffix.closing(before, manifest.product_id, manifest.product_version).to_bytes())


class _StoredImage:
    """The checks, in the order of the specification, over the bytes of a slot."""

    def __init__(self, raw: bytes, slot: Slot) -> None:
        self._slot = slot
        self.length = _stored_length(raw, slot)
        self._raw = raw[: self.length]

    def check(self) -> None:
        raw = self._raw
        ext_start = self.length - TAIL_SIZE
        suffix = Suffix.from_bytes(raw[-SUFFIX_SIZE:])
        area = ExtensionArea.from_bytes(raw[ext_start : ext_start + EXTENSION_SIZE])
        manifest = Manifest.from_bytes(area.manifest)
        if manifest.ext_start != ext_start:
            raise ImageFormatError(
                f"the manifest puts the extension area at {manifest.ext_start}, the length at {ext_start}",
                OtaStatus.ERR_MANIFEST,
            )
        prefix = Prefix.from_bytes(raw[PREFIX_OFFSET:BODY_MIN_SIZE])
        _check_agreement(manifest, prefix, suffix, area)
        reloc = RelocationTable.from_bytes(raw[manifest.reloc_start : ext_start], manifest.reloc_start)
        canonical = reloc.undo(raw, self._slot)
        if hashlib.sha256(canonical[:ext_start]).digest() != manifest.body_hash:
            raise ImageFormatError("the body's SHA-256 is not the manifest's", OtaStatus.ERR_HASH)
        suffix.check(canonical)
        self.canonical = canonical
        self.manifest = manifest
        self.reloc = reloc
        self.signatures = area.signatures


def _stored_length(raw: bytes, slot: Slot) -> int:
    """Check 1: the image's length by its own words."""
    if len(raw) < IMAGE_MIN_SIZE:
        raise ImageFormatError(f"{len(raw)} bytes are too few for an image", OtaStatus.ERR_IMAGE_LENGTH)
    start, end = struct.unpack_from("<II", raw, PREFIX_OFFSET)
    if start != slot.addr:
        raise ImageFormatError(f"the image starts at 0x{start:08X}, not 0x{slot.addr:08X}", OtaStatus.ERR_IMAGE_LENGTH)
    length: int = end + 4 - start
    if length % 4 or not IMAGE_MIN_SIZE <= length <= SLOT_SIZE:
        raise ImageFormatError(f"the image says it has {length} bytes", OtaStatus.ERR_IMAGE_LENGTH)
    if length > len(raw):
        raise ImageFormatError(f"the image says it has {length} bytes and is cut short", OtaStatus.ERR_IMAGE_LENGTH)
    return length


def _check_agreement(manifest: Manifest, prefix: Prefix, suffix: Suffix, area: ExtensionArea) -> None:
    """Check 4: everything that is said twice is said the same."""
    product = (manifest.product_id, manifest.product_version)
    if (suffix.product_id, suffix.product_version) != product or (area.product_id, area.product_version) != product:
        raise ImageFormatError("product id or version differ from the manifest's", OtaStatus.ERR_IMAGE_MISMATCH)
    if (prefix.platform_id, prefix.min_bootloader) != (manifest.platform_id, manifest.min_bootloader):
        raise ImageFormatError("the module prefix differs from the manifest", OtaStatus.ERR_IMAGE_MISMATCH)
