# SPDX-License-Identifier: Apache-2.0
"""The extension area (docs/spec/image.md section 4): 512 bytes of type-length-value entries below the base suffix."""

from __future__ import annotations

import itertools
import struct
from dataclasses import dataclass

from muster.errors import ImageFormatError, SignatureFormatError, ValueOutOfRange
from muster.layout import EXTENSION_SIZE
from muster.signing.cose import CoseSign1

TYPE_MANIFEST = 0x8100
TYPE_SIGNATURE = 0x8101
TYPE_PADDING = 0x81FF
TYPE_PRODUCT_DATA = 0x0001
TYPE_END = 0x0000
"""Keeps readers of Particle's format from taking the suffix behind the area for one more entry."""

SIGNATURES_MAX = 4

_HEAD = struct.Struct("<HH")
_PRODUCT_DATA = struct.Struct("<HHHHH")


@dataclass(frozen=True, slots=True)
class ExtensionArea:
    """The entries of an extension area.

    Attributes:
        manifest: the manifest's bytes, not parsed.
        signatures: none to four, key ids rising.
        product_id, product_version: as PRODUCT_DATA holds them, u16.

    Raises:
        ValueOutOfRange: the signatures are too many or out of order, or the entries do not fit.
    """

    manifest: bytes
    signatures: tuple[CoseSign1, ...]
    product_id: int
    product_version: int

    def __post_init__(self) -> None:
        if len(self.signatures) > SIGNATURES_MAX:
            raise ValueOutOfRange(f"an image holds at most {SIGNATURES_MAX} signatures")
        key_ids = [signature.key_id for signature in self.signatures]
        if any(first >= second for first, second in itertools.pairwise(key_ids)):
            raise ValueOutOfRange("the key ids of the signatures do not rise")
        if not (0 <= self.product_id < 2**16 and 0 <= self.product_version < 2**16):
            raise ValueOutOfRange("product id and version are u16")
        if self._padding_size() < _HEAD.size:
            raise ValueOutOfRange(f"the entries do not fit {EXTENSION_SIZE} bytes")

    def to_bytes(self) -> bytes:
        """The 512 bytes."""
        padding_size = self._padding_size()
        return b"".join(
            [
                _entry(TYPE_MANIFEST, self.manifest),
                *(_entry(TYPE_SIGNATURE, signature.to_bytes()) for signature in self.signatures),
                _entry(TYPE_PADDING, bytes(padding_size - _HEAD.size)),
                _PRODUCT_DATA.pack(
                    TYPE_PRODUCT_DATA, _PRODUCT_DATA.size, 0xFFFF, self.product_id, self.product_version
                ),
                _entry(TYPE_END, b""),
            ]
        )

    @classmethod
    def from_bytes(cls, raw: bytes) -> ExtensionArea:
        """Parses the 512 bytes.

        Raises:
            ImageFormatError: anything but the specified entries (status ERR_IMAGE_FORMAT).
        """
        if len(raw) != EXTENSION_SIZE:
            raise ImageFormatError(f"an extension area has {EXTENSION_SIZE} bytes, not {len(raw)}")
        entries = _split(raw)
        types = [kind for kind, _ in entries]
        signature_count = len(types) - 4
        expected = [TYPE_MANIFEST, *signature_count * [TYPE_SIGNATURE], TYPE_PADDING, TYPE_PRODUCT_DATA, TYPE_END]
        if not 0 <= signature_count <= SIGNATURES_MAX or types != expected:
            raise ImageFormatError(f"the extension area holds the types {', '.join(f'0x{kind:04X}' for kind in types)}")
        padding, product_data, end = (payload for _, payload in entries[-3:])
        if any(padding) or len(product_data) != 6 or product_data[:2] != b"\xff\xff" or end:
            raise ImageFormatError("padding, product data or end of the extension area have another form")
        try:
            signatures = tuple(CoseSign1.from_bytes(payload) for _, payload in entries[1:-3])
            return cls(entries[0][1], signatures, *struct.unpack("<HH", product_data[2:]))
        except (SignatureFormatError, ValueOutOfRange) as error:
            raise ImageFormatError(f"extension area: {error}") from error

    def _padding_size(self) -> int:
        used = _HEAD.size + len(self.manifest) + _PRODUCT_DATA.size + _HEAD.size
        used += sum(_HEAD.size + len(signature.to_bytes()) for signature in self.signatures)
        return EXTENSION_SIZE - used


def _entry(kind: int, payload: bytes) -> bytes:
    return _HEAD.pack(kind, _HEAD.size + len(payload)) + payload


def _split(raw: bytes) -> list[tuple[int, bytes]]:
    """All entries; their lengths end exactly at the area's end."""
    entries = []
    at = 0
    while at < len(raw):
        if len(raw) - at < _HEAD.size:
            raise ImageFormatError("the extension area ends inside an entry's head")
        kind, length = _HEAD.unpack_from(raw, at)
        if not _HEAD.size <= length <= len(raw) - at:
            raise ImageFormatError(f"extension entry 0x{kind:04X} of {length} bytes does not fit")
        entries.append((kind, raw[at + _HEAD.size : at + length]))
        at += length
    return entries
