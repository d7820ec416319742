# SPDX-License-Identifier: Apache-2.0
"""A patch's header (docs/spec/patch.md, section 2), and what a decoder knows of images (docs/spec/image.md)."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from tests.muster.delta.reference_model import Refused
from tests.muster.delta.reference_places import Layout

RAW, IMAGE, MODULE_AT_0, MODULE_AT_184 = range(4)
TAIL_LEN = 556
BODY_MIN_LEN = 0x19C
_BLOCK_LEN = 4096
SLOT_A = 0x0802_0000
_LEN_MAX = 0x1F_FFFF
_RELOC_START_MAX = 383 * _BLOCK_LEN


class NotInForm(Exception):
    """Bytes that are no manifest."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """`body_hash_at` is from the manifest's first byte."""

    product_id: int
    product_version: int
    reloc_start: int
    ext_start: int
    body_hash_at: int

    @classmethod
    def from_bytes(cls, raw: bytes) -> Manifest:
        """Section 4.1 of the image page. Raises NotInForm."""
        reader = _Cbor(raw)
        reader.expect(0xAA)
        limits = {1: (1, 1), 2: (1, 65534), 3: (1, 65534), 4: (0, 65535), 6: (0, 2**32 - 1), 10: (0, 65535)}
        values: dict[int, int] = {}
        body_hash_at = 0
        for key in range(1, 11):
            reader.expect(key)
            if key == 5:
                reader.expect(0x82)
                lowest = reader.uint(0, 65535)
                reader.uint(lowest, 65535)
            elif key == 9:
                reader.expect(0x58)
                reader.expect(32)
                body_hash_at = reader.at
                reader.take(32)
            else:
                values[key] = reader.uint(*limits.get(key, (0, 2**32 - 1)))
        if reader.at != len(raw) or len(raw) > 96:
            raise NotInForm
        return cls(values[2], values[3], values[7], values[8], body_hash_at)


class _Cbor:
    def __init__(self, raw: bytes) -> None:
        self.raw, self.at = raw, 0

    def take(self, count: int) -> bytes:
        if count > len(self.raw) - self.at:
            raise NotInForm
        self.at += count
        return self.raw[self.at - count : self.at]

    def expect(self, byte: int) -> None:
        if self.take(1)[0] != byte:
            raise NotInForm

    def uint(self, least: int, most: int) -> int:
        """In its shortest form."""
        head = self.take(1)[0]
        if head < 24:
            value = head
        elif 24 <= head <= 27:
            count = 1 << head - 24
            value = int.from_bytes(self.take(count), "big")
            if value < 24 or (count > 1 and value < 1 << 4 * count):
                raise NotInForm
        else:
            raise NotInForm
        if not least <= value <= most:
            raise NotInForm
        return value


def manifest_bytes(image: bytes) -> bytes:
    """Of an image that is long enough. Raises NotInForm."""
    at = len(image) - TAIL_LEN
    kind, length = (int.from_bytes(image[off : off + 2], "little") for off in (at, at + 2))
    if kind != 0x8100 or not 4 <= length <= 100:
        raise NotInForm
    return image[at + 4 : at + length]


def identity_of(image: bytes, kind: int) -> bytes:
    """Raises NotInForm."""
    return hashlib.sha256(manifest_bytes(image) if kind == IMAGE else image).digest()


def _holds(layout: Layout) -> bool:
    length, reloc_start = layout.length, layout.reloc_start
    return (
        length % 4 == 0
        and reloc_start % 4 == 0
        and length >= BODY_MIN_LEN + 4 + TAIL_LEN
        and BODY_MIN_LEN <= reloc_start < length - TAIL_LEN
    )


def prefix_at(kind: int) -> int:
    """Offset of a module's prefix."""
    return 0 if kind == MODULE_AT_0 else 0x184


@dataclass(frozen=True, slots=True)
class Header:
    """A header that passed every check of section 2. Lengths, offsets and addresses in bytes."""

    kind: int
    profile: int
    has_base: bool
    target_check: bytes
    load_base: int
    base: Layout
    target: Layout
    size: int

    @property
    def prefix_at(self) -> int:
        return prefix_at(self.kind)

    def ext_start(self, layout: Layout) -> int:
        """Where the body goes on behind the relocation table."""
        return layout.length - TAIL_LEN if self.kind == IMAGE and layout.length else layout.length


class _Reader:
    def __init__(self, patch: bytes) -> None:
        self.patch, self.at = patch, 0

    def take(self, count: int) -> bytes:
        if count > len(self.patch) - self.at:
            raise Refused("OTA_ERR_PATCH_TRUNCATED")
        self.at += count
        return self.patch[self.at - count : self.at]

    def number(self) -> int:
        """LEB128 in its shortest form, at most four bytes."""
        value = 0
        for count in range(4):
            byte = self.take(1)[0]
            value |= (byte & 0x7F) << 7 * count
            if byte < 0x80:
                if byte == 0 and count > 0:
                    break
                return value
        raise Refused("OTA_ERR_PATCH_HEADER")

    def change(self) -> int:
        number = self.number()
        return -(number + 1 >> 1) if number % 2 else number >> 1


def read_header(base: bytes, patch: bytes) -> Header:
    """Raises Refused."""
    reader = _Reader(patch)
    tag = reader.take(1)[0]
    kind, has_base, profile = tag & 3, bool(tag & 4), tag >> 3 & 3
    if tag >> 5 != 2:
        raise Refused("OTA_ERR_PATCH_HEADER")
    base_check = reader.take(3) if has_base else b""
    target_check = reader.take(4)
    load_base = SLOT_A
    if kind == RAW or (kind != IMAGE and not has_base):
        load_base = 256 * reader.number()
        if load_base >> 32:
            raise Refused("OTA_ERR_PATCH_HEADER")
    unit = 4 if kind == IMAGE else 1
    length_change = unit * reader.change()
    reloc_change = unit * reader.change() if kind == IMAGE else length_change

    base_layout = Layout(0, 0)
    if has_base:
        base_layout = _base_layout(base, kind, base_check)
        if kind in (MODULE_AT_0, MODULE_AT_184):
            at = prefix_at(kind)
            if len(base) < at + 4:
                raise Refused("OTA_ERR_PATCH_BASE")
            load_base = int.from_bytes(base[at : at + 4], "little")
    target = Layout(base_layout.length + length_change, base_layout.reloc_start + reloc_change)
    header = Header(kind, profile, has_base, target_check, load_base, base_layout, target, reader.at)
    _check_lengths(header)
    if profile not in (1, 2):
        raise Refused("OTA_ERR_PATCH_PROFILE")
    return header


def _base_layout(base: bytes, kind: int, check: bytes) -> Layout:
    refused = Refused("OTA_ERR_PATCH_BASE")
    if not base:
        raise refused
    layout = Layout(len(base), len(base))
    try:
        if kind == IMAGE:
            if len(base) < BODY_MIN_LEN + 4 + TAIL_LEN:
                raise refused
            layout = Layout(len(base), Manifest.from_bytes(manifest_bytes(base)).reloc_start)
            if not _holds(layout):
                raise refused
        if identity_of(base, kind)[:3] != check:
            raise refused
    except NotInForm:
        raise refused from None
    return layout


def _check_lengths(header: Header) -> None:
    target = header.target
    holds = 0 <= target.length <= _LEN_MAX and header.base.length <= _LEN_MAX
    if header.kind == IMAGE:
        holds = holds and _holds(target) and target.reloc_start <= _RELOC_START_MAX
    elif header.kind != RAW:
        holds = holds and target.length >= header.prefix_at + 64
    if not holds:
        raise Refused("OTA_ERR_PATCH_HEADER")
