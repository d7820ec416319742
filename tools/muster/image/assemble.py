# SPDX-License-Identifier: Apache-2.0
"""Makes an image from what the linker made at slot A and at slot B (docs/spec/image.md sections 1 and 3)."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

from muster.errors import ImageTooLong, LinkError, NotRelocatable, UnalignedAddress
from muster.image.image import Image, seal
from muster.image.manifest import Manifest
from muster.image.prefix import Prefix
from muster.image.reloc import RelocationTable
from muster.layout import (
    BODY_MIN_SIZE,
    PREFIX_OFFSET,
    PREFIX_SIZE,
    SLOT_A_ADDR,
    SLOT_OFFSET,
    SLOT_SIZE,
    TAIL_SIZE,
    Slot,
)

SymbolAt = Callable[[int], str]
"""Names what lies at an address of the link at slot A."""

_PREFIX_WORDS = (PREFIX_OFFSET, PREFIX_OFFSET + 4)


@dataclass(frozen=True, slots=True)
class ImageSpec:
    """What an image says about itself that its code does not.

    The fields are those of `Manifest`.
    """

    product_id: int
    product_version: int
    platform_id: int
    hardware_lowest: int
    hardware_highest: int
    security_counter: int
    min_bootloader: int


def assemble(body_a: bytes, body_b: bytes, spec: ImageSpec, symbols: SymbolAt | None = None) -> Image:
    """Makes the unsigned canonical image.

    `body_a` and `body_b` are the same program linked at slot A and at slot B: flat bytes from the vector table to the
    end of initialised data. The 24 bytes at 0x184 are written here; the linker leaves them blank (all 0x00 or all 0xFF)
    or begins them with the slot's address. `symbols` names an address of the link at slot A in errors.

    Raises:
        LinkError: the two links have different lengths, are too short, or hold code where the prefix belongs.
        UnalignedAddress: an address inside the slot lies at an offset that is not a multiple of 4.
        NotRelocatable: the links differ in something else than an address word.
        RelocationError: the relocation table would be too long.
        ImageTooLong: the image does not fit the slot.
        ValueOutOfRange: a field of `spec` has no legal value.
    """
    padded_a = _prepared(body_a, Slot.A)
    padded_b = _prepared(body_b, Slot.B)
    if len(padded_a) != len(padded_b):
        raise LinkError(f"the link at slot A has {len(padded_a)} bytes, the link at slot B {len(padded_b)}")
    reloc_start = len(padded_a)
    if reloc_start + TAIL_SIZE > SLOT_SIZE:
        raise ImageTooLong(f"{reloc_start} bytes of code and data do not fit the slot of {SLOT_SIZE}")
    name_at = symbols if symbols is not None else _no_symbol
    words = relocated_words(padded_a, padded_b, name_at)
    reloc = RelocationTable.from_words([*words, *_PREFIX_WORDS], reloc_start)
    table = reloc.to_bytes()
    ext_start = reloc_start + len(table)
    length = ext_start + TAIL_SIZE
    if length > SLOT_SIZE:
        raise ImageTooLong(f"the image of {length} bytes does not fit the slot of {SLOT_SIZE}")

    linked_a = _with_prefix(padded_a, Slot.A, length, spec)
    linked_b = _with_prefix(padded_b, Slot.B, length, spec)
    if reloc.apply(linked_a, Slot.B) != linked_b:
        raise NotRelocatable("relocating the link at slot A does not give the link at slot B")
    body = linked_a + table
    manifest = Manifest(
        product_id=spec.product_id,
        product_version=spec.product_version,
        platform_id=spec.platform_id,
        hardware_lowest=spec.hardware_lowest,
        hardware_highest=spec.hardware_highest,
        security_counter=spec.security_counter,
        reloc_start=reloc_start,
        ext_start=ext_start,
        body_hash=hashlib.sha256(body).digest(),
        min_bootloader=spec.min_bootloader,
    )
    return seal(body, manifest, [])


def relocated_words(link_a: bytes, link_b: bytes, symbols: SymbolAt) -> list[int]:
    """Byte offsets of the words in which two links of equal length, a multiple of 4, differ by the slot offset.

    Raises:
        UnalignedAddress, NotRelocatable: they differ otherwise.
    """
    words_a = memoryview(link_a).cast("I")
    words_b = memoryview(link_b).cast("I")
    found = []
    for number, (word_a, word_b) in enumerate(zip(words_a, words_b, strict=True)):
        if word_a == word_b:
            continue
        # The views are in the machine's byte order: decode before comparing.
        at = 4 * number
        if _difference(link_a, link_b, at) != SLOT_OFFSET:
            raise _link_difference(link_a, link_b, at, symbols)
        found.append(at)
    return found


def _link_difference(link_a: bytes, link_b: bytes, at: int, symbols: SymbolAt) -> LinkError:
    for near in range(max(at - 3, 0), min(at + 4, len(link_a) - 3)):
        if near % 4 and _difference(link_a, link_b, near) == SLOT_OFFSET:
            return UnalignedAddress(
                f"{symbols(SLOT_A_ADDR + near)} holds an address at 0x{SLOT_A_ADDR + near:08X}, "
                "which is not aligned to 4: it cannot be relocated (is its struct packed?)"
            )
    return NotRelocatable(
        f"{symbols(SLOT_A_ADDR + at)} differs at 0x{SLOT_A_ADDR + at:08X} between the links at slot A and slot B, "
        "and not by the slot offset"
    )


def _difference(link_a: bytes, link_b: bytes, at: int) -> int:
    first = int.from_bytes(link_a[at : at + 4], "little")
    return (int.from_bytes(link_b[at : at + 4], "little") - first) & 0xFFFF_FFFF


def _prepared(linked: bytes, slot: Slot) -> bytes:
    """Pads a link to 4 bytes and blanks the place of its prefix."""
    if len(linked) < BODY_MIN_SIZE:
        raise LinkError(f"the link at slot {slot.name} has {len(linked)} bytes, fewer than vector table and prefix")
    place = linked[PREFIX_OFFSET:BODY_MIN_SIZE]
    blank = place in (bytes(PREFIX_SIZE), b"\xff" * PREFIX_SIZE)
    if not blank and place[:4] != slot.addr.to_bytes(4, "little"):
        raise LinkError(f"the link at slot {slot.name} holds something else where the module prefix belongs (0x184)")
    body = linked[:PREFIX_OFFSET] + bytes(PREFIX_SIZE) + linked[BODY_MIN_SIZE:]
    return body + b"\xff" * (-len(body) % 4)


def _with_prefix(body: bytes, slot: Slot, length: int, spec: ImageSpec) -> bytes:
    prefix = Prefix(slot.addr, slot.addr + length - 4, spec.platform_id, spec.min_bootloader)
    return body[:PREFIX_OFFSET] + prefix.to_bytes() + body[BODY_MIN_SIZE:]


def _no_symbol(address: int) -> str:
    return "the image"
