# SPDX-License-Identifier: Apache-2.0
"""The base suffix (docs/spec/image.md section 5): ids, SHA-256, suffix size and big-endian CRC-32, 44 bytes."""

from __future__ import annotations

import hashlib
import struct
import zlib
from dataclasses import dataclass

from muster.errors import ImageFormatError, ValueOutOfRange
from muster.layout import EXTENSION_SIZE, SUFFIX_SIZE
from muster.status import OtaStatus

_HEAD = struct.Struct("<HHH32sH")
SUFFIX_FIELD_SIZE = 40 + EXTENSION_SIZE
"""Value of the `suffix size` field: it counts the extension area, but not the CRC."""

HASHED_UP_TO = 38
"""The suffix's SHA-256 covers the image but for its last 38 bytes."""


@dataclass(frozen=True, slots=True)
class Suffix:
    """A base suffix.

    Attributes:
        product_id, product_version: u16.
        sha256: 32 bytes, over the image but for its last 38 bytes.
        crc32: over the image but for its last 4 bytes.
    """

    product_id: int
    product_version: int
    sha256: bytes
    crc32: int

    def __post_init__(self) -> None:
        in_range = 0 <= self.product_id < 2**16 and 0 <= self.product_version < 2**16 and 0 <= self.crc32 < 2**32
        if not in_range or len(self.sha256) != 32:
            raise ValueOutOfRange("a suffix field is out of range")

    def to_bytes(self) -> bytes:
        """The 44 bytes."""
        head = _HEAD.pack(self.product_id, self.product_version, 0, self.sha256, SUFFIX_FIELD_SIZE)
        return head + self.crc32.to_bytes(4, "big")

    @classmethod
    def from_bytes(cls, raw: bytes) -> Suffix:
        """Parses 44 bytes; hash and CRC are not compared with anything.

        Raises:
            ImageFormatError: another length, reserved field or suffix size (status ERR_IMAGE_FORMAT).
        """
        if len(raw) != SUFFIX_SIZE:
            raise ImageFormatError(f"a base suffix has {SUFFIX_SIZE} bytes, not {len(raw)}")
        product_id, product_version, reserved, sha256, size = _HEAD.unpack_from(raw)
        if reserved != 0 or size != SUFFIX_FIELD_SIZE:
            raise ImageFormatError(f"suffix size is {size} and reserved {reserved}, not {SUFFIX_FIELD_SIZE} and 0")
        return cls(product_id, product_version, sha256, int.from_bytes(raw[-4:], "big"))

    @classmethod
    def closing(cls, before: bytes, product_id: int, product_version: int) -> Suffix:
        """The suffix that closes an image of which `before` is all but the last 44 bytes."""
        head = struct.pack("<HHH", product_id, product_version, 0)
        sha256 = hashlib.sha256(before + head).digest()
        unsummed = cls(product_id, product_version, sha256, 0).to_bytes()
        return cls(product_id, product_version, sha256, zlib.crc32(before + unsummed[:-4]))

    def check(self, raw: bytes) -> None:
        """Compares hash and CRC with a whole canonical image that ends in this suffix.

        Raises:
            ImageFormatError: one of them differs (status ERR_HASH).
        """
        if hashlib.sha256(raw[:-HASHED_UP_TO]).digest() != self.sha256:
            raise ImageFormatError("the SHA-256 in the suffix is not the image's", OtaStatus.ERR_HASH)
        if zlib.crc32(raw[:-4]) != self.crc32:
            raise ImageFormatError("the CRC-32 at the image's end is not the image's", OtaStatus.ERR_HASH)
