# SPDX-License-Identifier: Apache-2.0
"""Keys, key sets and small images that are always the same."""

from __future__ import annotations

import hashlib
import struct

from muster.image.assemble import ImageSpec, assemble
from muster.image.image import Image
from muster.layout import SLOT_A_ADDR, SLOT_OFFSET
from muster.signing.keys import PrivateKey
from muster.signing.keyset import KeySet, KeySetContent, RootKeys, sorted_keys
from muster.signing.signer import KeySigner, sign_image

PRODUCT = 1234
PHOTON, P1, ELECTRON = 6, 8, 10


def key(name: str) -> PrivateKey:
    """A private key by its name."""
    return PrivateKey(hashlib.sha256(f"test key {name}".encode()).digest())


ROOTS = RootKeys(2, sorted_keys(key(f"root {number}").public_key for number in range(3)))


def keyset(version: int = 1, online: tuple[str, ...] = ("online",)) -> KeySet:
    """A key set with one release key, one development key and these online keys."""
    content = KeySetContent(
        version=version,
        release_threshold=1,
        release_keys=(key("release").public_key,),
        online_keys=sorted_keys(key(name).public_key for name in online),
        development_keys=(key("development").public_key,),
        roots=ROOTS,
    )
    return KeySet.signed(content, [KeySigner(key(f"root {number}")) for number in range(2)])


def link(version: int, size: int = 4096) -> bytes:
    """The flat bytes of a pretended program at slot A; every 64th word is an address."""
    words = bytearray()
    for number in range(size // 4):
        if number % 64 == 3:
            words += struct.pack("<I", SLOT_A_ADDR + (number * 4 + version) % size)
        else:
            words += hashlib.sha256(f"{number} {version if number % 16 == 0 else 0}".encode()).digest()[:4]
    words[0x184:0x19C] = bytes(0x18)
    return bytes(words)


def image(
    version: int,
    platform: int = PHOTON,
    product: int = PRODUCT,
    counter: int = 0,
    hardware: tuple[int, int] = (0, 9),
    signer: str | None = "release",
    size: int = 4096,
) -> Image:
    """A small valid image; `signer` None leaves it unsigned."""
    at_a = link(version, size)
    at_b = bytearray(at_a)
    for offset in range(0, size, 4):
        word = int.from_bytes(at_a[offset : offset + 4], "little")
        if offset // 4 % 64 == 3 and SLOT_A_ADDR <= word < SLOT_A_ADDR + size:
            at_b[offset : offset + 4] = struct.pack("<I", word + SLOT_OFFSET)
    spec = ImageSpec(product, version, platform, *hardware, counter, 1)
    made = assemble(at_a, bytes(at_b), spec)
    return made if signer is None else sign_image(made, KeySigner(key(signer)))


def elf(version: int, size: int = 4096) -> bytes:
    """An ELF file with one loaded segment: what `image` was made from (ELF for the Arm Architecture)."""
    code = link(version, size)
    ident = b"\x7fELF\x01\x01\x01".ljust(16, b"\0")
    header = struct.pack("<16sHHIIIIIHHHHHH", ident, 2, 40, 1, SLOT_A_ADDR, 52, 0, 0, 52, 32, 1, 40, 0, 0)
    program = struct.pack("<IIIIIIII", 1, 84, SLOT_A_ADDR, SLOT_A_ADDR, len(code), len(code), 5, 4)
    return header + program + code
