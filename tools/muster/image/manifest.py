# SPDX-License-Identifier: Apache-2.0
"""The manifest (docs/spec/image.md section 4.1): what release keys sign."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from muster import cbor
from muster.errors import FormatError, ManifestError, ValueOutOfRange
from muster.layout import BODY_MIN_SIZE, ID_MAX, IDENTITY_PREFIX_SIZE, MANIFEST_SIZE_MAX, SLOT_SIZE, TAIL_SIZE

FORMAT_VERSION = 1


@dataclass(frozen=True, slots=True)
class Manifest:
    """What the signatures cover. An instance is within every range of the specification.

    Attributes:
        product_id, product_version: 1 to 65,534.
        platform_id: Particle's platform id, u16.
        hardware_lowest, hardware_highest: hardware revisions that the image runs on, inclusive, u16.
        security_counter: u32; a device never runs an image below its own.
        reloc_start, ext_start: byte offsets of relocation table and extension area.
        body_hash: SHA-256 of `[0, ext_start)` in canonical form, 32 bytes.
        min_bootloader: lowest bootloader version, u16.

    Raises:
        ValueOutOfRange: a field has no legal value.
    """

    product_id: int
    product_version: int
    platform_id: int
    hardware_lowest: int
    hardware_highest: int
    security_counter: int
    reloc_start: int
    ext_start: int
    body_hash: bytes
    min_bootloader: int

    def __post_init__(self) -> None:
        _check_range("product id", self.product_id, 1, ID_MAX)
        _check_range("product version", self.product_version, 1, ID_MAX)
        _check_range("platform id", self.platform_id, 0, 0xFFFF)
        _check_range("lowest hardware revision", self.hardware_lowest, 0, 0xFFFF)
        _check_range("highest hardware revision", self.hardware_highest, self.hardware_lowest, 0xFFFF)
        _check_range("security counter", self.security_counter, 0, 0xFFFF_FFFF)
        _check_range("ext_start", self.ext_start, BODY_MIN_SIZE + 4, SLOT_SIZE - TAIL_SIZE)
        _check_range("reloc_start", self.reloc_start, BODY_MIN_SIZE, self.ext_start - 1)
        _check_range("minimum bootloader version", self.min_bootloader, 0, 0xFFFF)
        if self.reloc_start % 4 or self.ext_start % 4:
            raise ValueOutOfRange("reloc_start and ext_start are multiples of 4")
        if len(self.body_hash) != 32:
            raise ValueOutOfRange("a body hash has 32 bytes")

    @property
    def identity(self) -> bytes:
        """SHA-256 of the manifest's bytes: the identity of the image, whatever its signatures."""
        return hashlib.sha256(self.to_bytes()).digest()

    @property
    def identity_prefix(self) -> bytes:
        """The first 16 bytes of the identity, as records and patches hold it."""
        return self.identity[:IDENTITY_PREFIX_SIZE]

    def to_bytes(self) -> bytes:
        """The one accepted encoding."""
        return cbor.dumps(
            {
                1: FORMAT_VERSION,
                2: self.product_id,
                3: self.product_version,
                4: self.platform_id,
                5: [self.hardware_lowest, self.hardware_highest],
                6: self.security_counter,
                7: self.reloc_start,
                8: self.ext_start,
                9: self.body_hash,
                10: self.min_bootloader,
            }
        )

    @classmethod
    def from_bytes(cls, raw: bytes) -> Manifest:
        """Parses the one accepted encoding.

        Raises:
            ManifestError: anything else (status ERR_MANIFEST).
        """
        if len(raw) > MANIFEST_SIZE_MAX:
            raise ManifestError(f"the manifest has {len(raw)} bytes, more than {MANIFEST_SIZE_MAX}")
        try:
            return cls._from_value(cbor.loads(raw))
        except (FormatError, ValueOutOfRange) as error:
            raise ManifestError(f"manifest: {error}") from error

    @classmethod
    def _from_value(cls, value: object) -> Manifest:
        if not isinstance(value, dict) or list(value) != list(range(1, 11)):
            raise ManifestError("not a map of the keys 1 to 10")
        if value[1] != FORMAT_VERSION:
            raise ManifestError("another format version")
        hardware = value[5]
        if not isinstance(hardware, list) or len(hardware) != 2:
            raise ManifestError("hardware revisions are not an array of two")
        return cls(
            product_id=_int(value[2]),
            product_version=_int(value[3]),
            platform_id=_int(value[4]),
            hardware_lowest=_int(hardware[0]),
            hardware_highest=_int(hardware[1]),
            security_counter=_int(value[6]),
            reloc_start=_int(value[7]),
            ext_start=_int(value[8]),
            body_hash=_bytes(value[9]),
            min_bootloader=_int(value[10]),
        )


def _int(value: object) -> int:
    if not isinstance(value, int):
        raise ManifestError("a field is not an integer")
    return value


def _bytes(value: object) -> bytes:
    if not isinstance(value, bytes):
        raise ManifestError("the body hash is not a byte string")
    return value


def _check_range(name: str, value: int, lowest: int, highest: int) -> None:
    if not lowest <= value <= highest:
        raise ValueOutOfRange(f"{name} {value} is not in {lowest}..{highest}")
