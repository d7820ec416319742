# SPDX-License-Identifier: Apache-2.0
"""C and Python agree on images that nobody chose: relocated, lowered again and hashed by both."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from muster.image.assemble import assemble
from muster.image.image import Image
from muster.layout import BODY_MIN_SIZE, PREFIX_OFFSET, PREFIX_SIZE, SLOT_OFFSET, SLOT_SIZE, Slot
from tests.firmware.core.machine import Machine
from tests.firmware.core.test_slot_writer import write
from tests.vectors import fixed

_PIECES = st.sampled_from([4, 60, 512, 4096])


@st.composite
def images(draw: st.DrawFn) -> Image:
    """Random bytes with addresses anywhere behind the prefix: in no block, in one, or in all of them."""
    size = draw(st.integers(BODY_MIN_SIZE // 4 + 1, 3500)) * 4
    words = draw(st.sets(st.integers(BODY_MIN_SIZE // 4, size // 4 - 1), max_size=200))
    at_a = bytearray(random.Random(draw(st.integers(0, 2**32))).randbytes(size))
    at_a[PREFIX_OFFSET:BODY_MIN_SIZE] = bytes(PREFIX_SIZE)
    at_b = bytearray(at_a)
    for word in words:
        value = int.from_bytes(at_a[4 * word : 4 * word + 4], "little")
        at_b[4 * word : 4 * word + 4] = ((value + SLOT_OFFSET) % 2**32).to_bytes(4, "little")
    return assemble(bytes(at_a), bytes(at_b), fixed.SPEC, None)


@given(image=images(), piece=_PIECES, off=st.integers(0, 12_000), size=st.integers(0, 3000))
def test_random_image_is_the_same_to_both_in_both_slots(
    machine: Machine, image: Image, piece: int, off: int, size: int
) -> None:
    for slot in Slot:
        machine.load_image(slot, b"")
        assert write(machine, slot, image, piece) == 0
        stored = machine.dump(slot.addr, SLOT_SIZE)
        assert stored[: len(image.raw)] == image.installed_in(slot)
        assert Image.from_slot(stored, slot) == image
        opened = machine.new("struct ota_image *")
        assert machine.lib.ota_image_check_pinned(machine.flash, slot.addr, image.identity[:16], opened) == 0
        assert bytes(opened.identity) == image.identity
        begin = min(off, len(image.raw))
        wanted = image.raw[begin : begin + size]
        out = machine.new("uint8_t[]", max(len(wanted), 1))
        assert machine.lib.ota_image_read(opened, begin, out, len(wanted)) == 0
        assert bytes(machine.ffi.buffer(out, len(wanted))) == wanted
