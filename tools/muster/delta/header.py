# SPDX-License-Identifier: Apache-2.0
"""The header of a patch (docs/spec/patch.md section 2)."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from enum import IntEnum

from muster.delta.errors import PatchHeaderError, PatchTruncated
from muster.layout import BODY_MIN_SIZE, IMAGE_MIN_SIZE, MANIFEST_SIZE_MAX, TAIL_SIZE

HEADER_SIZE = 64
MAGIC = b"MUSP"
FORMAT_VERSION = 1
LENGTH_MAX = 0x0100_0000
"""Longest base and longest target, in bytes."""

_LAYOUT = struct.Struct("<4sBBBBIIIII16s16sI")
_BODY_HASH_OFF_MIN = 4
_BODY_HASH_OFF_MAX = 4 + MANIFEST_SIZE_MAX - 32
_NO_IDENTITY = bytes(16)


class PatchKind(IntEnum):
    """What base and target are."""

    RAW = 0
    """Any bytes: written from front to back, nothing is derived."""
    IMAGE = 1
    """Images of docs/spec/image.md."""


class PatchProfile(IntEnum):
    """How much memory the decoder has."""

    SMALL = 1
    """A state of at most 4 KiB: what devices keep for patches."""
    LARGE = 2
    """A state of at most 16 KiB, for full images. Its coder is not part of format 1 yet."""


@dataclass(frozen=True, slots=True)
class PatchHeader:
    """A header every rule of which holds. Lengths and offsets are in bytes.

    Attributes:
        profile: what the decoder must have; a number that PatchProfile may not know.
        kind: what base and target are.
        body_hash_off: where the manifest's body hash lies, from the target's ext_start; 0 in a raw patch.
        load_base: address of the images' first byte in canonical form.
        base_len: 0 for a full image.
        base_reloc_start, target_reloc_start: of the images' relocation tables; 0 in a raw patch or for no base.
        target_len: length of what the patch makes.
        base_identity, target_identity: first 16 bytes of the image's identity (of a raw patch: of the SHA-256 of all
            bytes); zero for no base.

    Raises:
        PatchHeaderError: a rule is broken.
    """

    profile: int
    kind: PatchKind
    body_hash_off: int
    load_base: int
    base_len: int
    base_reloc_start: int
    target_len: int
    target_reloc_start: int
    base_identity: bytes
    target_identity: bytes

    def __post_init__(self) -> None:
        if not 0 <= self.profile <= 0xFF:
            raise PatchHeaderError(f"profile {self.profile} is no byte")
        if max(self.base_len, self.target_len) > LENGTH_MAX or min(self.base_len, self.target_len) < 0:
            raise PatchHeaderError(f"a length is above {LENGTH_MAX}")
        if not 0 <= self.load_base <= 0xFFFF_FFFF - LENGTH_MAX:
            raise PatchHeaderError(f"load base 0x{self.load_base:X} is too high")
        if len(self.base_identity) != 16 or len(self.target_identity) != 16:
            raise PatchHeaderError("an identity has 16 bytes")
        if self.base_len == 0 and self.base_identity != _NO_IDENTITY:
            raise PatchHeaderError("an empty base has an identity")
        if self.kind is PatchKind.IMAGE:
            self._check_image()
        elif self.body_hash_off or self.base_reloc_start or self.target_reloc_start:
            raise PatchHeaderError("a raw patch has fields of an image")

    def _check_image(self) -> None:
        _check_layout("target", self.target_len, self.target_reloc_start)
        if self.base_len:
            _check_layout("base", self.base_len, self.base_reloc_start)
        elif self.base_reloc_start:
            raise PatchHeaderError("an empty base has a relocation table")
        if not _BODY_HASH_OFF_MIN <= self.body_hash_off <= _BODY_HASH_OFF_MAX:
            raise PatchHeaderError(f"the body hash cannot be at {self.body_hash_off}")
        if self.load_base % 4:
            raise PatchHeaderError("the load base is not a multiple of 4")

    @property
    def is_full_image(self) -> bool:
        """Whether the patch needs no base."""
        return self.base_len == 0

    def to_bytes(self) -> bytes:
        """The 64 bytes at the start of a patch."""
        body = _LAYOUT.pack(
            MAGIC,
            FORMAT_VERSION,
            self.profile,
            self.kind,
            self.body_hash_off,
            self.load_base,
            self.base_len,
            self.base_reloc_start,
            self.target_len,
            self.target_reloc_start,
            self.base_identity,
            self.target_identity,
            0,
        )[:-4]
        return body + zlib.crc32(body).to_bytes(4, "little")

    @classmethod
    def from_bytes(cls, raw: bytes) -> PatchHeader:
        """Parses the header at the start of `raw`; what follows it is not looked at.

        Raises:
            PatchTruncated: fewer than 64 bytes.
            PatchHeaderError: magic, CRC, format version or a field is not valid.
        """
        if len(raw) < HEADER_SIZE:
            raise PatchTruncated(f"{len(raw)} bytes are too few for a patch")
        magic, version, profile, kind, body_hash_off, *fields = _LAYOUT.unpack_from(raw)
        load_base, base_len, base_reloc_start, target_len, target_reloc_start, base_id, target_id, crc = fields
        if magic != MAGIC:
            raise PatchHeaderError("not a patch: the magic is missing")
        if crc != zlib.crc32(raw[: HEADER_SIZE - 4]):
            raise PatchHeaderError("the header's CRC does not hold")
        if version != FORMAT_VERSION:
            raise PatchHeaderError(f"format version {version} is not known")
        if kind not in PatchKind.__members__.values():
            raise PatchHeaderError(f"kind {kind} is not known")
        return cls(
            profile=profile,
            kind=PatchKind(kind),
            body_hash_off=body_hash_off,
            load_base=load_base,
            base_len=base_len,
            base_reloc_start=base_reloc_start,
            target_len=target_len,
            target_reloc_start=target_reloc_start,
            base_identity=base_id,
            target_identity=target_id,
        )


def _check_layout(name: str, length: int, reloc_start: int) -> None:
    if length % 4 or reloc_start % 4 or length < IMAGE_MIN_SIZE:
        raise PatchHeaderError(f"the {name}'s length or reloc_start cannot be an image's")
    if not BODY_MIN_SIZE <= reloc_start < length - TAIL_SIZE:
        raise PatchHeaderError(f"the {name}'s reloc_start {reloc_start} lies outside its body")
