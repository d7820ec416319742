# SPDX-License-Identifier: Apache-2.0
"""Identity stubs (docs/spec/boot.md section 2): what a factory writes, and a device makes its identity page of."""

from __future__ import annotations

from dataclasses import dataclass

from muster.device.identity_page import DEVICE_ID_SIZE, IdentityPage
from muster.layout import IDENTITY_COPY_SIZE, IDENTITY_PAGE_SIZE, Lifecycle
from muster.signing.keys import SEED_SIZE, PrivateKey
from muster.signing.keyset import RootKeys

_WRITTEN = ((0, 12), (24, 124), (188, 504))
"""From, to: what a copy of a stub holds. Device id, keys, CRC and COMMIT are erased."""
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
