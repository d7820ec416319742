# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import random
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from muster.errors import ImageTooLong, LinkError, NotRelocatable, RelocationError, UnalignedAddress, ValueOutOfRange
from muster.image.assemble import assemble
from muster.image.image import Image
from muster.layout import SLOT_OFFSET, SLOT_SIZE, Slot
from tests.vectors import fixed

_POINTERS = (0x19C, 0x200)


def _links(size: int = 1024) -> tuple[bytearray, bytearray]:
    return (
        bytearray(fixed.program(Slot.A, size, _POINTERS)),
        bytearray(fixed.program(Slot.B, size, _POINTERS)),
    )


def _assemble(link_a: bytearray, link_b: bytearray) -> Image:
    return assemble(bytes(link_a), bytes(link_b), fixed.SPEC, lambda address: f"symbol@{address:08x}")


@given(st.integers(0x19C, 9000), st.integers(0, 2**32), st.integers(0, 60))
@settings(max_examples=50)
def test_installed_image_reads_as_if_linked_for_its_slot(size: int, seed: int, count: int) -> None:
    rng = random.Random(seed)
    link_a = bytearray(rng.randbytes(size))
    link_a[0x184:0x19C] = bytes(24)
    link_b = bytearray(link_a)
    words = {4 * rng.randrange(size // 4) for _ in range(count)} - set(range(0x184, 0x19C))
    for at in words:
        raised = int.from_bytes(link_a[at : at + 4], "little") + SLOT_OFFSET
        link_b[at : at + 4] = (raised & 0xFFFF_FFFF).to_bytes(4, "little")
    image = _assemble(link_a, link_b)
    assert set(image.reloc.words) == words | {0x184, 0x188}
    installed = image.installed_in(Slot.B)
    assert installed[:0x184] == link_b[:0x184]
    assert installed[0x19C:size] == link_b[0x19C:]
    assert installed[0x184:0x188] == bytes.fromhex("00000808")
    assert Image.from_slot(installed, Slot.B) == image
    assert image.raw[size : image.manifest.reloc_start] == b"\xff" * (-size % 4)


def test_unaligned_address_is_refused_naming_its_symbol() -> None:
    for at in (0x301, 0x302, 0x303):
        link_a, link_b = _links()
        link_a[at : at + 4] = (0x0802_01A0).to_bytes(4, "little")
        link_b[at : at + 4] = (0x0808_01A0).to_bytes(4, "little")
        with pytest.raises(UnalignedAddress, match=f"symbol@{0x0802_0000 + at:08x}"):
            _assemble(link_a, link_b)


@pytest.mark.parametrize("difference", [1, SLOT_OFFSET + 4, 2 * SLOT_OFFSET, 2**32 - SLOT_OFFSET])
def test_other_difference_than_the_slot_offset_is_refused(difference: int) -> None:
    link_a, link_b = _links()
    word = int.from_bytes(link_a[0x300:0x304], "little") + difference
    link_b[0x300:0x304] = (word & 0xFFFF_FFFF).to_bytes(4, "little")
    with pytest.raises(NotRelocatable, match="symbol@08020300"):
        _assemble(link_a, link_b)


def test_links_of_different_length_are_refused() -> None:
    link_a, link_b = _links()
    with pytest.raises(LinkError, match=r"1024 bytes.*1028"):
        _assemble(link_a, link_b + bytes(4))


def test_link_without_room_for_the_prefix_is_refused() -> None:
    link_a, link_b = _links()
    with pytest.raises(LinkError, match="fewer than"):
        _assemble(link_a[:0x198], link_b[:0x198])


def test_code_where_the_prefix_belongs_is_refused() -> None:
    link_a, link_b = _links()
    link_a[0x190] = link_b[0x190] = 0x70
    with pytest.raises(LinkError, match="module prefix"):
        _assemble(link_a, link_b)


@pytest.mark.parametrize("blank", [b"\0" * 24, b"\xff" * 24])
def test_linker_may_leave_the_prefix_blank(blank: bytes) -> None:
    link_a, link_b = _links()
    link_a[0x184:0x19C] = link_b[0x184:0x19C] = blank
    assert _assemble(link_a, link_b) == _assemble(*_links())


def test_linker_may_write_a_prefix_of_its_own() -> None:
    link_a, link_b = _links()
    link_a[0x184:0x18C] = bytes.fromhex("00000208 11111111")
    link_b[0x184:0x18C] = bytes.fromhex("00000808 22222222")
    assert _assemble(link_a, link_b) == _assemble(*_links())


def test_largest_image_fits_and_one_word_more_does_not() -> None:
    # 96 blocks; 15 handlers, two prefix words and two pointers, each a gap of one byte.
    table = 2 + 2 * 96 + 15 + 2 + 2
    largest = SLOT_SIZE - 556 - (table + -table % 4)
    image = _assemble(*_links(largest))
    assert len(image.raw) == SLOT_SIZE
    for more in (1, 4, 600):
        with pytest.raises(ImageTooLong):
            _assemble(*_links(largest + more))


def test_table_that_is_too_long_is_refused() -> None:
    size = 0x5_0000
    link_a = bytearray(size)
    link_b = bytearray(size)
    for at in range(0x19C, size, 4):
        link_b[at : at + 4] = SLOT_OFFSET.to_bytes(4, "little")
    with pytest.raises(RelocationError, match="longer than"):
        _assemble(link_a, link_b)


def test_field_out_of_range_is_refused() -> None:
    link_a, link_b = _links()
    with pytest.raises(ValueOutOfRange, match="product id"):
        assemble(bytes(link_a), bytes(link_b), replace(fixed.SPEC, product_id=65_535))
