# SPDX-License-Identifier: Apache-2.0
"""The header of a patch (docs/spec/patch.md section 2)."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from enum import IntEnum

from muster.delta.errors import BaseImageMismatch, PatchHeaderError, PatchTruncated
from muster.errors import FormatError
from muster.image.image import Image

FORMAT = 2
HEADER_SIZE_MAX = 20
LENGTH_MAX = 0x1F_FFFF
"""Longest base and longest target, in bytes."""

BASE_CHECK_SIZE = 3
TARGET_CHECK_SIZE = 4
PREFIX_AT = 0x184
MODULE_MIN_SIZE = 64
LOAD_BASE_UNIT = 256
_HAS_BASE = 0x04
_LOAD_BASE_UNITS_MAX = 0xFFFF_FFFF // LOAD_BASE_UNIT


class PatchKind(IntEnum):
    """What base and target are."""

    RAW = 0
    """Any bytes: nothing is derived."""
    IMAGE = 1
    """Images of docs/spec/image.md."""
    MODULE_AT_0 = 2
    """Particle's module format, its prefix at the first byte."""
    MODULE_AT_184 = 3
    """The same, its prefix behind a vector table."""

    @property
    def prefix_at(self) -> int | None:
        """Offset of the module prefix; None where the kind has none that matters."""
        return {PatchKind.MODULE_AT_0: 0, PatchKind.MODULE_AT_184: PREFIX_AT}.get(self)


class PatchProfile(IntEnum):
    """How much memory the decoder has."""

    SMALL = 1
    """A state of at most 4 KiB: what every device has."""
    LARGE = 2
    """A state of at most 12 KiB, for full images."""


@dataclass(frozen=True, slots=True)
class ImageLayout:
    """What a decoder knows of a base, and learns of a target.

    Attributes:
        length: in bytes.
        reloc_start: where the relocation table begins; the length when there is none.
        identity: the first 16 bytes of the image's identity; of anything else, of the SHA-256 of its bytes.
    """

    length: int
    reloc_start: int
    identity: bytes

    @property
    def base_check(self) -> bytes:
        return self.identity[:BASE_CHECK_SIZE]

    @property
    def target_check(self) -> bytes:
        return self.identity[:TARGET_CHECK_SIZE]

    @classmethod
    def of(cls, raw: bytes, kind: PatchKind) -> ImageLayout:
        """The layout of `raw` taken as `kind`.

        Raises:
            FormatError: the kind is IMAGE and `raw` is no valid image.
        """
        if kind is PatchKind.IMAGE:
            manifest = Image.from_bytes(raw).manifest
            return cls(len(raw), manifest.reloc_start, manifest.identity_prefix)
        return cls(len(raw), len(raw), hashlib.sha256(raw).digest()[:16])


NO_BASE = ImageLayout(0, 0, bytes(16))
"""What a decoder is told when there is nothing to patch."""


@dataclass(frozen=True, slots=True)
class PatchHeader:
    """A header every rule of which holds that can be checked without the base.

    Attributes:
        profile: what the decoder must have; a number that PatchProfile may not know.
        kind: what base and target are.
        base_check: first 3 bytes of the base's identity; None for a full image.
        target_check: first 4 bytes of the target's.
        load_base: address of the first byte; None where the base itself says it.
        length_change: target length less base length (0 without a base), in bytes.
        reloc_change: the same for reloc_start; equal to length_change unless the kind is IMAGE.
        size: bytes that the header takes.

    Raises:
        PatchHeaderError: a rule is broken.
    """

    profile: int
    kind: PatchKind
    base_check: bytes | None
    target_check: bytes
    load_base: int | None
    length_change: int
    reloc_change: int

    def __post_init__(self) -> None:
        if not 0 <= self.profile <= 3:
            raise PatchHeaderError(f"profile {self.profile} does not fit two bits")
        if len(self.target_check) != TARGET_CHECK_SIZE or len(self.base_check or b"   ") != BASE_CHECK_SIZE:
            raise PatchHeaderError("a check has not its length")
        if (self.load_base is None) != self._is_load_base_known_otherwise:
            raise PatchHeaderError("the load base is in the header exactly when neither kind nor base says it")
        if self.load_base is not None and not (
            self.load_base % LOAD_BASE_UNIT == 0 and 0 <= self.load_base // LOAD_BASE_UNIT <= _LOAD_BASE_UNITS_MAX
        ):
            raise PatchHeaderError(f"load base 0x{self.load_base:X} is no address that is a multiple of 256")
        unit = 4 if self.kind is PatchKind.IMAGE else 1
        if self.length_change % unit or self.reloc_change % unit:
            raise PatchHeaderError("an image's length and reloc_start change by multiples of 4")
        if self.kind is not PatchKind.IMAGE and self.reloc_change != self.length_change:
            raise PatchHeaderError("only images have a relocation table")

    @property
    def _is_load_base_known_otherwise(self) -> bool:
        if self.kind is PatchKind.IMAGE:
            return True
        return self.kind is not PatchKind.RAW and self.base_check is not None

    @property
    def is_full_image(self) -> bool:
        """Whether the patch needs no base."""
        return self.base_check is None

    @property
    def size(self) -> int:
        return len(self.to_bytes())

    def target_length(self, base_length: int) -> int:
        """Length of what the patch makes of a base of `base_length` bytes (which does not matter to a full image).

        Raises:
            PatchHeaderError: it is not a length that a target may have.
        """
        length = self.length_change + (0 if self.is_full_image else base_length)
        if not 0 <= length <= LENGTH_MAX:
            raise PatchHeaderError(f"a target of {length} bytes is not possible")
        return length

    def check_base(self, base: bytes) -> None:
        """Compares the base at hand with the one that the patch was made for.

        Raises:
            BaseImageMismatch: it is another one.
        """
        if self.base_check is None:
            return
        try:
            check = ImageLayout.of(base, self.kind).base_check if base else b""
        except FormatError as error:
            raise BaseImageMismatch(f"the base is no image: {error}") from error
        if check != self.base_check:
            raise BaseImageMismatch(
                f"the patch was made for base {self.base_check.hex()}, not for {check.hex() or 'none'}"
            )

    def to_bytes(self) -> bytes:
        """The bytes at the start of a patch."""
        has_base = _HAS_BASE if self.base_check is not None else 0
        unit = 4 if self.kind is PatchKind.IMAGE else 1
        what = FORMAT << 5 | self.profile << 3 | has_base | self.kind
        raw = bytes((what,)) + (self.base_check or b"") + self.target_check
        if self.load_base is not None:
            raw += _number(self.load_base // LOAD_BASE_UNIT)
        raw += _number(_zigzag(self.length_change // unit))
        if self.kind is PatchKind.IMAGE:
            raw += _number(_zigzag(self.reloc_change // unit))
        return raw

    @classmethod
    def from_bytes(cls, raw: bytes) -> PatchHeader:
        """Parses the header at the start of `raw`; what follows it is not looked at.

        Raises:
            PatchTruncated: the bytes end inside the header.
            PatchHeaderError: not a patch, or a field is not valid.
        """
        reader = _Reader(raw)
        what = reader.byte()
        if what >> 5 != FORMAT:
            raise PatchHeaderError("not a patch of this format: the first byte says so")
        kind = PatchKind(what & 0x03)
        base_check = reader.take(BASE_CHECK_SIZE) if what & _HAS_BASE else None
        target_check = reader.take(TARGET_CHECK_SIZE)
        is_in_header = kind is PatchKind.RAW or (kind is not PatchKind.IMAGE and base_check is None)
        load_base = reader.load_base() if is_in_header else None
        unit = 4 if kind is PatchKind.IMAGE else 1
        length_change = reader.change() * unit
        reloc_change = reader.change() * unit if kind is PatchKind.IMAGE else length_change
        return cls(what >> 3 & 0x03, kind, base_check, target_check, load_base, length_change, reloc_change)


class _Reader:
    def __init__(self, raw: bytes) -> None:
        self._raw = raw
        self._at = 0

    def byte(self) -> int:
        return self.take(1)[0]

    def take(self, size: int) -> bytes:
        if len(self._raw) - self._at < size:
            raise PatchTruncated(f"{len(self._raw)} bytes are too few for this patch's header")
        self._at += size
        return self._raw[self._at - size : self._at]

    def number(self) -> int:
        value = 0
        for shift in range(0, 28, 7):
            byte = self.byte()
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                if byte == 0 and shift:
                    break
                return value
        raise PatchHeaderError("a number is too large or not in its shortest form")

    def load_base(self) -> int:
        units = self.number()
        if units > _LOAD_BASE_UNITS_MAX:
            raise PatchHeaderError("the load base is above 32 bits")
        return units * LOAD_BASE_UNIT

    def change(self) -> int:
        zigzag = self.number()
        return zigzag >> 1 ^ -(zigzag & 1)


def _number(value: int) -> bytes:
    raw = bytearray()
    while value > 0x7F:
        raw.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes((*raw, value))


def _zigzag(value: int) -> int:
    return value << 1 if value >= 0 else ~(value << 1)
