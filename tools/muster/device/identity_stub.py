# SPDX-License-Identifier: Apache-2.0
"""Identity stubs (docs/spec/boot.md section 2): what a factory writes, and a device makes its identity page of."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass

from muster.device.identity_page import DEVICE_ID_SIZE, IdentityPage
from muster.errors import IdentityPageError
from muster.layout import COMMIT, IDENTITY_COPY_SIZE, IDENTITY_PAGE_SIZE, Lifecycle
from muster.signing.keys import SEED_SIZE, PrivateKey
from muster.signing.keyset import RootKeys

_WRITTEN = ((0, 12), (24, 124), (188, 504))
"""From, to: what a copy of a stub holds. Device id, keys, CRC and COMMIT are erased."""
_CRC_AT = 504
_SOME_ID = b"\x01" * DEVICE_ID_SIZE
_SOME_KEY = PrivateKey(bytes(SEED_SIZE))


@dataclass(frozen=True, slots=True)
class IdentityStub:
    """An identity page without what is the device's own: its id and its key.

    Raises:
        ValueOutOfRange: a field has no legal value, as in IdentityPage.
    """

    product_id: int
    hardware_revision: int
    lifecycle: Lifecycle
    roots: RootKeys

    def __post_init__(self) -> None:
        self.completed(_SOME_ID, _SOME_KEY)

    def completed(self, device_id: bytes, device_key: PrivateKey) -> IdentityPage:
        """The page that the device with this id makes of it, with its key."""
        return IdentityPage(self.product_id, self.hardware_revision, self.lifecycle, self.roots, device_id, device_key)

    def pieces(self) -> list[tuple[int, bytes]]:
        """What is written of both copies: offset in the identity page, and bytes."""
        page = self.completed(_SOME_ID, _SOME_KEY).to_bytes()
        copies = range(0, IDENTITY_PAGE_SIZE, IDENTITY_COPY_SIZE)
        return [(copy + start, page[copy + start : copy + end]) for copy in copies for start, end in _WRITTEN]

    def to_bytes(self) -> bytes:
        """Both copies: 1,024 bytes."""
        raw = bytearray(b"\xff" * IDENTITY_PAGE_SIZE)
        for offset, piece in self.pieces():
            raw[offset : offset + len(piece)] = piece
        return bytes(raw)

    @classmethod
    def from_bytes(cls, raw: bytes) -> IdentityStub:
        """The first of both copies that is a stub.

        Raises:
            IdentityPageError: neither is one (status ERR_IDENTITY_PAGE).
        """
        for at in range(0, len(raw), IDENTITY_COPY_SIZE):
            copy = raw[at : at + IDENTITY_COPY_SIZE]
            stub = cls._from_copy(copy)
            if stub is not None and stub.to_bytes()[:IDENTITY_COPY_SIZE] == copy:
                return stub
        raise IdentityPageError("no identity stub")

    @classmethod
    def _from_copy(cls, copy: bytes) -> IdentityStub | None:
        """What it says when it is completed, whatever stands where a stub is erased."""
        whole = bytearray(copy[:_CRC_AT].ljust(IDENTITY_COPY_SIZE, b"\0"))
        whole[12:24] = _SOME_ID
        whole[124:188] = _SOME_KEY.seed + _SOME_KEY.public_key.raw
        struct.pack_into("<II", whole, _CRC_AT, zlib.crc32(whole[:_CRC_AT]), COMMIT)
        try:
            page = IdentityPage.from_bytes(bytes(whole + whole))
        except IdentityPageError:
            return None
        return cls(page.product_id, page.hardware_revision, page.lifecycle, page.roots)
