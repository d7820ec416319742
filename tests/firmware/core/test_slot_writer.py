# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from muster.image.image import Image
from muster.layout import Slot
from muster.status import OtaStatus
from tests.firmware.core.machine import SLOT_SIZE, Machine
from tests.vectors import fixed

LARGE = fixed.large_image()
SMALL = fixed.signed_image("release-1")


def begin(machine: Machine, slot: Slot, image: Image) -> Any:
    writer = machine.new("struct ota_slot_writer *")
    manifest = image.manifest
    assert (
        machine.lib.ota_slot_writer_init(writer, machine.flash, slot.addr, manifest.reloc_start, manifest.ext_start)
        == 0
    )
    return writer


def write(machine: Machine, slot: Slot, image: Image, piece: int = 512) -> int:
    """Puts the whole image into the slot in the order of writing: table, what is before it, the rest."""
    writer = begin(machine, slot, image)
    reloc_start, ext_start = image.manifest.reloc_start, image.manifest.ext_start
    for begin_at, end_at in ((reloc_start, ext_start), (0, reloc_start), (ext_start, len(image.raw))):
        for off in range(begin_at, end_at, piece):
            content = image.raw[off : min(off + piece, end_at)]
            status: int = machine.lib.ota_slot_writer_write(writer, off, machine.buffer(content), len(content))
            if status != 0:
                return status
    return 0


@pytest.mark.parametrize("slot", list(Slot))
@pytest.mark.parametrize("piece", [4, 100, 512, 4096])
def test_slot_holds_what_the_link_for_it_holds(machine: Machine, slot: Slot, piece: int) -> None:
    assert write(machine, slot, LARGE, piece) == 0
    installed = LARGE.installed_in(slot)
    assert machine.dump(slot.addr, SLOT_SIZE) == installed + b"\xff" * (SLOT_SIZE - len(installed))
    image = machine.new("struct ota_image *")
    assert machine.lib.ota_image_check_pinned(machine.flash, slot.addr, LARGE.identity[:16], image) == 0


@pytest.mark.parametrize("slot", list(Slot))
def test_written_bytes_read_back_canonical(machine: Machine, slot: Slot) -> None:
    assert write(machine, slot, LARGE) == 0
    writer = begin(machine, slot, LARGE)
    for off, size in ((0, 1), (0x185, 300), (0xFFD, 8), (5000, len(LARGE.raw) - 5000)):
        out = machine.new("uint8_t[]", size)
        assert machine.lib.ota_slot_writer_read(writer, off, out, size) == 0
        assert bytes(machine.ffi.buffer(out, size)) == LARGE.raw[off : off + size]


@pytest.mark.parametrize("slot", list(Slot))
@pytest.mark.parametrize("torn", [False, True])
def test_writing_again_after_any_cut_completes_the_slot(machine: Machine, slot: Slot, torn: bool) -> None:
    total = machine.operations_of(lambda: write(machine, slot, SMALL))
    whole = machine.dump(slot.addr, SLOT_SIZE)
    for cut in range(total):
        machine.load_image(slot, b"")
        machine.cut_at(cut, torn=torn, noise=cut + 1)
        assert write(machine, slot, SMALL) != 0
        machine.power_on()
        assert write(machine, slot, SMALL) == 0
        assert machine.dump(slot.addr, SLOT_SIZE) == whole, cut


def test_each_word_is_programmed_once(machine: Machine) -> None:
    installed = LARGE.installed_in(Slot.B)
    words = [installed[at : at + 4] for at in range(0, len(installed), 4)]
    total = machine.operations_of(lambda: write(machine, Slot.B, LARGE))
    assert total == sum(word != b"\xff" * 4 for word in words)


def test_word_that_cannot_be_is_refused_before_it_is_touched(machine: Machine) -> None:
    """Programming it would clear bits that the refusal could not bring back."""
    reloc_start, ext_start = LARGE.manifest.reloc_start, LARGE.manifest.ext_start
    machine.load(Slot.B.addr + reloc_start, b"\xf0\xff\xff\xff")  # the table begins with 02
    writer = begin(machine, Slot.B, LARGE)
    table = machine.buffer(LARGE.raw[reloc_start:ext_start])
    status = machine.lib.ota_slot_writer_write(writer, reloc_start, table, ext_start - reloc_start)
    assert status == OtaStatus.ERR_FLASH_PROGRAM
    assert machine.model.operations == 0


def test_words_that_are_there_are_not_programmed_again(machine: Machine) -> None:
    assert write(machine, Slot.B, SMALL) == 0
    assert machine.operations_of(lambda: write(machine, Slot.B, SMALL)) == 0


@given(at=st.integers(0, len(SMALL.raw) // 4 - 1), bit=st.integers(0, 31))
@settings(max_examples=40)
def test_slot_with_other_content_must_be_erased_first(machine: Machine, at: int, bit: int) -> None:
    """A bit that is 0 and ought to be 1 cannot be programmed."""
    content = bytearray(b"\xff" * len(SMALL.raw))
    installed = SMALL.installed_in(Slot.B)
    content[4 * at + bit // 8] &= ~(1 << bit % 8) & 0xFF
    machine.load_image(Slot.B, bytes(content))
    wanted_is_one = bool(installed[4 * at + bit // 8] >> bit % 8 & 1)
    status = write(machine, Slot.B, SMALL)
    assert status == (OtaStatus.ERR_FLASH_PROGRAM if wanted_is_one else 0) or (
        # A damaged table is found before anything is relocated by it.
        wanted_is_one and status == OtaStatus.ERR_RELOC
    )


@pytest.mark.parametrize("slot", list(Slot))
def test_body_without_its_table_is_refused(machine: Machine, slot: Slot) -> None:
    writer = begin(machine, slot, LARGE)
    content = machine.buffer(LARGE.raw[:512])
    assert machine.lib.ota_slot_writer_write(writer, 0, content, 512) == OtaStatus.ERR_RELOC
    assert machine.model.operations == 0


@pytest.mark.parametrize("slot", list(Slot))
def test_hostile_table_is_refused_before_the_body(machine: Machine, slot: Slot) -> None:
    reloc_start, ext_start = LARGE.manifest.reloc_start, LARGE.manifest.ext_start
    table = bytearray(LARGE.raw[reloc_start:ext_start])
    table[2] += 1
    writer = begin(machine, slot, LARGE)
    assert machine.lib.ota_slot_writer_write(writer, reloc_start, machine.buffer(bytes(table)), len(table)) == 0
    before = machine.model.operations
    assert machine.lib.ota_slot_writer_write(writer, 0, machine.buffer(bytes(512)), 512) == OtaStatus.ERR_RELOC
    assert machine.model.operations == before


def test_table_is_read_again_after_it_was_written(machine: Machine) -> None:
    """A try before the table is there must not leave a stale piece of it behind."""
    writer = begin(machine, Slot.B, LARGE)
    reloc_start, ext_start = LARGE.manifest.reloc_start, LARGE.manifest.ext_start
    body = machine.buffer(LARGE.raw[:reloc_start])
    assert machine.lib.ota_slot_writer_write(writer, 0, body, reloc_start) == OtaStatus.ERR_RELOC
    table = machine.buffer(LARGE.raw[reloc_start:ext_start])
    assert machine.lib.ota_slot_writer_write(writer, reloc_start, table, ext_start - reloc_start) == 0
    assert machine.lib.ota_slot_writer_write(writer, 0, body, reloc_start) == 0
    assert machine.dump(Slot.B.addr, reloc_start) == LARGE.installed_in(Slot.B)[:reloc_start]


@pytest.mark.parametrize(
    ("reloc_start", "ext_start"),
    [
        (0x19C, 0x19C),  # no table
        (0x198, 0x400),  # inside the prefix
        (0x19E, 0x400),
        (0x19C, 0x402),
        (0x400, 0x200),
        (0x400, 0x60000 - 552),  # 4 bytes more than the slot holds
        (0x400, 0xFFFF_FFFC),
        (0xFFFF_FFFC, 0x400),
    ],
)
def test_impossible_sizes_are_refused(machine: Machine, reloc_start: int, ext_start: int) -> None:
    writer = machine.new("struct ota_slot_writer *")
    status = machine.lib.ota_slot_writer_init(writer, machine.flash, Slot.B.addr, reloc_start, ext_start)
    assert status == OtaStatus.ERR_IMAGE_LENGTH


@pytest.mark.parametrize(("off", "size"), [(0, 3), (2, 4), (0xFFFF_FFFC, 8), (4, 0xFFFF_FFFC), (len(LARGE.raw), 4)])
def test_writes_outside_the_image_or_off_the_grid_are_refused(machine: Machine, off: int, size: int) -> None:
    writer = begin(machine, Slot.B, LARGE)
    buffer = machine.buffer(bytes(16))
    assert machine.lib.ota_slot_writer_write(writer, off, buffer, size) == OtaStatus.ERR_FLASH_RANGE
    if off % 4 == 0 and size % 4 == 0:
        assert machine.lib.ota_slot_writer_read(writer, off, buffer, size) == OtaStatus.ERR_FLASH_RANGE


@pytest.mark.parametrize("slot", list(Slot))
def test_erase_makes_the_slot_blank_and_spares_the_other_sectors(machine: Machine, slot: Slot) -> None:
    machine.ffi.memmove(machine.model.bytes, bytes(0x100000), 0x100000)
    assert machine.lib.ota_slot_erase(machine.flash, slot.addr) == 0
    assert machine.dump(slot.addr, SLOT_SIZE) == b"\xff" * SLOT_SIZE
    others = machine.everything().replace(b"\xff" * SLOT_SIZE, b"")
    assert others == bytes(0x100000 - SLOT_SIZE)
    assert machine.operations_of(lambda: machine.lib.ota_slot_erase(machine.flash, slot.addr)) == 0


@pytest.mark.parametrize("cut", range(3))
def test_erase_cut_short_is_done_again(machine: Machine, cut: int) -> None:
    machine.load_image(Slot.B, bytes(SLOT_SIZE))
    machine.cut_at(cut, torn=True, noise=7)
    assert machine.lib.ota_slot_erase(machine.flash, Slot.B.addr) == OtaStatus.ERR_FLASH_ERASE
    machine.power_on()
    assert machine.lib.ota_slot_erase(machine.flash, Slot.B.addr) == 0
    assert machine.dump(Slot.B.addr, SLOT_SIZE) == b"\xff" * SLOT_SIZE
