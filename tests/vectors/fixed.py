# SPDX-License-Identifier: Apache-2.0
"""Fixed keys and one small program, from which the golden vectors are made."""

from __future__ import annotations

import hashlib

from muster.image.assemble import ImageSpec, assemble
from muster.image.image import Image
from muster.layout import Slot
from muster.signing.keys import PrivateKey, PublicKey
from muster.signing.keyset import KeySet, KeySetContent, RootKeys, sorted_keys
from muster.signing.signer import KeySigner, sign_image

KEY_NAMES = (
    "root-1",
    "root-2",
    "root-3",
    "root-4",
    "root-5",
    "release-1",
    "release-2",
    "release-3",
    "release-4",
    "online-1",
    "development-1",
    "device-1",
    "stranger-1",
)

SPEC = ImageSpec(
    product_id=1234,
    product_version=7,
    platform_id=6,
    hardware_lowest=1,
    hardware_highest=3,
    security_counter=2,
    min_bootloader=1,
)


def key(name: str) -> PrivateKey:
    assert name in KEY_NAMES
    return PrivateKey(hashlib.sha256(b"muster golden vector key " + name.encode()).digest())


def public(*names: str) -> tuple[PublicKey, ...]:
    return sorted_keys(key(name).public_key for name in names)


def signer(name: str) -> KeySigner:
    return KeySigner(key(name))


def program(slot: Slot, size: int, pointers: tuple[int, ...]) -> bytes:
    """Flat bytes of a made-up program of `size` bytes: a vector table, and addresses at the offsets in `pointers`."""
    body = bytearray((at * 37 + at // 256 + 11) & 0xFF for at in range(size))
    body[:4] = (0x2002_0000).to_bytes(4, "little")
    for vector in range(1, 97):
        handler = slot.addr + 0x1A1 if vector < 16 else 0
        body[4 * vector : 4 * vector + 4] = handler.to_bytes(4, "little")
    body[0x184:0x19C] = bytes(24)
    for number, at in enumerate(pointers):
        body[at : at + 4] = (slot.addr + 0x1A0 + 4 * number).to_bytes(4, "little")
    return bytes(body)


def small_image(spec: ImageSpec = SPEC) -> Image:
    """Unsigned, one block; the program's size is no multiple of 4."""
    return _assembled(1022, (0x19C, 0x1A0, 0x200, 0x3F8), spec)


def large_image() -> Image:
    """Unsigned, two blocks, with words at both sides of the border and a gap of two bytes."""
    return _assembled(5200, (0x19C, 0x800, 0xFFC, 0x1000, 0x1204, 0x144C), SPEC)


def signed_image(*names: str) -> Image:
    return sign_image(small_image(), *(signer(name) for name in names))


def keyset_v1() -> KeySet:
    content = KeySetContent(
        version=1,
        release_threshold=2,
        release_keys=public("release-1", "release-2", "release-3"),
        online_keys=public("online-1"),
        development_keys=public("development-1"),
        roots=RootKeys(2, public("root-1", "root-2", "root-3")),
    )
    return KeySet.signed(content, [signer("root-1"), signer("root-3")])


def keyset_v2() -> KeySet:
    """Rotated: release-1 is revoked, root-1 and root-2 are replaced, signed by the old roots."""
    content = KeySetContent(
        version=2,
        release_threshold=1,
        release_keys=public("release-2", "release-4"),
        online_keys=public("online-1"),
        development_keys=(),
        roots=RootKeys(2, public("root-3", "root-4", "root-5")),
    )
    return KeySet.signed(content, [signer("root-1"), signer("root-2"), signer("root-3")])


def _assembled(size: int, pointers: tuple[int, ...], spec: ImageSpec) -> Image:
    return assemble(program(Slot.A, size, pointers), program(Slot.B, size, pointers), spec)
