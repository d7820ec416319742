# SPDX-License-Identifier: Apache-2.0
"""The module prefix (docs/spec/image.md section 2): Particle's `module_info`, 24 bytes at 0x184."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from muster.errors import ImageFormatError, ValueOutOfRange
from muster.layout import PREFIX_SIZE
from muster.status import OtaStatus

_PREFIX = struct.Struct("<IIBBHHBBBBHBBH")
assert _PREFIX.size == PREFIX_SIZE

MODULE_VERSION = 1
FUNCTION_MONOLITHIC = 3
FUNCTION_BOOTLOADER = 2


@dataclass(frozen=True, slots=True)
class Prefix:
    """The fields of a prefix that differ from image to image; the others have fixed values.

    Attributes:
        start: address of the image's first byte, as linked or installed.
        end: address of its CRC; the image is `end - start + 4` bytes long.
        platform_id: Particle's platform id, u16.
        min_bootloader: lowest bootloader version that can start it, u16.

    Raises:
        ValueOutOfRange: a field has no legal value.
    """

    start: int
    end: int
    platform_id: int
    min_bootloader: int

    def __post_init__(self) -> None:
        addresses = (self.start, self.end)
        numbers = (self.platform_id, self.min_bootloader)
        if not all(0 <= address < 2**32 for address in addresses) or not all(0 <= number < 2**16 for number in numbers):
            raise ValueOutOfRange("a prefix field is out of range")

    def to_bytes(self) -> bytes:
        """The 24 bytes."""
        return _PREFIX.pack(
            self.start,
            self.end,
            0,
            0,
            MODULE_VERSION,
            self.platform_id,
            FUNCTION_MONOLITHIC,
            0,
            FUNCTION_BOOTLOADER,
            0,
            self.min_bootloader,
            0,
            0,
            0,
        )

    @classmethod
    def from_bytes(cls, raw: bytes) -> Prefix:
        """Parses 24 bytes.

        Raises:
            ImageFormatError: another length, or a fixed field with another value (status ERR_IMAGE_MISMATCH).
        """
        if len(raw) != PREFIX_SIZE:
            raise ImageFormatError(f"a prefix has {PREFIX_SIZE} bytes, not {len(raw)}", OtaStatus.ERR_IMAGE_MISMATCH)
        fields = _PREFIX.unpack(raw)
        prefix = cls(start=fields[0], end=fields[1], platform_id=fields[5], min_bootloader=fields[10])
        if prefix.to_bytes() != raw:
            raise ImageFormatError("a fixed field of the module prefix has another value", OtaStatus.ERR_IMAGE_MISMATCH)
        return prefix
