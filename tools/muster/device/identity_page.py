# SPDX-License-Identifier: Apache-2.0
"""The identity page (docs/spec/boot.md section 2): who a device is and which roots it believes."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass

from muster.errors import FormatError, IdentityPageError, ValueOutOfRange
from muster.layout import COMMIT, ID_MAX, IDENTITY_COPY_SIZE, IDENTITY_PAGE_SIZE, Lifecycle
from muster.signing.keys import PrivateKey, PublicKey
from muster.signing.keyset import ROOT_KEYS_MAX, RootKeys

MAGIC = 0x4449544F
FORMAT_VERSION = 1
DEVICE_ID_SIZE = 12
ANY_CHIP = bytes(DEVICE_ID_SIZE)

_HEAD = struct.Struct("<IHHHBB12sB3x96s32s32s316xI")
_CRC_AT = 504
assert _HEAD.size == IDENTITY_COPY_SIZE - 4
assert _HEAD.size - 4 == _CRC_AT


@dataclass(frozen=True, slots=True)
class IdentityPage:
    """The fields of an identity page.

    Attributes:
        product_id: 1 to 65,534.
        hardware_revision: u16.
        lifecycle: development or production.
        roots: the roots that sign the first key set.
        device_id: the chip's 12-byte unique id, or twelve zero bytes (development only): any chip.
        device_key: the device's private key.

    Raises:
        ValueOutOfRange: a field has no legal value.
    """

    product_id: int
    hardware_revision: int
    lifecycle: Lifecycle
    roots: RootKeys
    device_id: bytes
    device_key: PrivateKey

    def __post_init__(self) -> None:
        if not 1 <= self.product_id <= ID_MAX or not 0 <= self.hardware_revision <= 0xFFFF:
            raise ValueOutOfRange("product id or hardware revision is out of range")
        if len(self.device_id) != DEVICE_ID_SIZE:
            raise ValueOutOfRange(f"a device id has {DEVICE_ID_SIZE} bytes")
        if self.device_id == ANY_CHIP and self.lifecycle is not Lifecycle.DEVELOPMENT:
            raise ValueOutOfRange("only a development identity may be for any chip")

    def is_for(self, chip_id: bytes) -> bool:
        """Whether the identity holds on the chip with this unique id."""
        return self.device_id in (ANY_CHIP, chip_id)

    def to_bytes(self) -> bytes:
        """Both copies: 1,024 bytes."""
        roots = b"".join(key.raw for key in self.roots.keys).ljust(32 * ROOT_KEYS_MAX, b"\0")
        copy = _HEAD.pack(
            MAGIC,
            FORMAT_VERSION,
            self.product_id,
            self.hardware_revision,
            self.lifecycle,
            self.roots.threshold,
            self.device_id,
            len(self.roots.keys),
            roots,
            self.device_key.seed,
            self.device_key.public_key.raw,
            0,
        )[:_CRC_AT]
        copy += struct.pack("<II", zlib.crc32(copy), COMMIT)
        return copy + copy

    @classmethod
    def from_bytes(cls, raw: bytes, chip_id: bytes | None = None) -> IdentityPage:
        """The first valid of both copies; with `chip_id`, the first that also holds on that chip.

        Raises:
            IdentityPageError: neither is valid (status ERR_IDENTITY_PAGE).
        """
        if len(raw) != IDENTITY_PAGE_SIZE:
            raise IdentityPageError(f"an identity page has {IDENTITY_PAGE_SIZE} bytes, not {len(raw)}")
        reasons = []
        for number, at in enumerate(range(0, IDENTITY_PAGE_SIZE, IDENTITY_COPY_SIZE)):
            try:
                page = cls._from_copy(raw[at : at + IDENTITY_COPY_SIZE])
            except (FormatError, ValueOutOfRange) as error:
                reasons.append(f"copy {number}: {error}")
                continue
            if chip_id is None or page.is_for(chip_id):
                return page
            reasons.append(f"copy {number}: for chip {page.device_id.hex()}")
        raise IdentityPageError("no valid identity page: " + "; ".join(reasons))

    @classmethod
    def _from_copy(cls, copy: bytes) -> IdentityPage:
        crc, commit = struct.unpack_from("<II", copy, _CRC_AT)
        if commit != COMMIT or crc != zlib.crc32(copy[:_CRC_AT]):
            raise IdentityPageError("not committed, or its CRC differs")
        magic, version, product_id, revision, lifecycle, threshold, device_id, count, roots, seed, public, _ = (
            _HEAD.unpack_from(copy)
        )
        if magic != MAGIC or version != FORMAT_VERSION:
            raise IdentityPageError("not an identity page of format 1")
        if lifecycle not in iter(Lifecycle) or not 1 <= count <= ROOT_KEYS_MAX:
            raise IdentityPageError("lifecycle or root count is out of range")
        keys = tuple(PublicKey(roots[32 * number : 32 * number + 32]) for number in range(count))
        page = cls(
            product_id=product_id,
            hardware_revision=revision,
            lifecycle=Lifecycle(lifecycle),
            roots=RootKeys(threshold, keys),
            device_id=device_id,
            device_key=PrivateKey(seed),
        )
        if page.device_key.public_key.raw != public:
            raise IdentityPageError("the device's public key is not its private key's")
        if page.to_bytes()[:IDENTITY_COPY_SIZE] != copy:
            raise IdentityPageError("bytes that are zero by the specification are not")
        return page
