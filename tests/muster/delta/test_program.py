# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from muster.build.mapfile import LinkMap
from muster.delta.program import BLOCK_SIZE, PartKind, Program, check_elf
from muster.errors import ElfFormatError, InputError, LinkError
from muster.layout import PREFIX_OFFSET, SLOT_A_ADDR
from tests.muster.delta.explained import part_named, releases


@pytest.mark.parametrize("with_map", [False, True])
def test_every_byte_is_in_one_part(with_map: bool) -> None:
    for release in releases():
        program = release.program(with_map)
        at = 0
        for part in program.parts:
            assert (part.offset, part.size > 0) == (at, True)
            at = part.end
        assert at == len(release.image)
        assert [part.kind for part in program.parts[-2:]] == [PartKind.TABLE, PartKind.TAIL]


def test_symbols_lie_where_their_bytes_are() -> None:
    release = releases()[1]
    program = release.program()
    grew = part_named(program, "grew")
    assert (grew.kind, grew.object_file, grew.section, grew.scope) == (
        PartKind.FUNCTION,
        "explained.o",
        ".text",
        "explained.c",
    )
    curve = part_named(program, "curve_changed")
    assert release.image[curve.offset : curve.end] == b"".join(
        number.to_bytes(4, "little") for number in (1, 2, 3, 4, 5, 6, 7, 8, 9, 2)
    )
    # Initial values lie in the image, though the variable is in RAM.
    counter = part_named(program, "counter")
    assert (counter.kind, counter.section) == (PartKind.OBJECT, ".data")
    assert release.image[counter.offset : counter.end] == (7).to_bytes(4, "little")


def test_strings_have_the_name_of_their_owner_where_the_map_knows_it() -> None:
    release = releases()[1]
    strings = part_named(release.program(), "strings of text")
    assert b"the first of two strings\0" in release.image[strings.offset : strings.end]
    assert part_named(release.program(with_map=False), ".rodata, no symbol").size == strings.size


def test_debug_information_names_the_source_where_there_is_no_map() -> None:
    assert part_named(releases()[1].program(with_map=False), "added").object_file == "explained.c"


def test_addresses_of_flash_and_ram_have_names() -> None:
    program = releases()[1].program()
    added = part_named(program, "added")
    assert program.name_at(SLOT_A_ADDR + added.offset) == ("added", 0)
    assert program.name_at(SLOT_A_ADDR + added.offset + 4) == ("added", 4)
    assert program.name_at(0x2000_0000) == ("counter", 0)
    assert program.name_at(0x4000_0000) is None


def test_image_without_elf_is_blocks_of_addresses() -> None:
    program = Program.from_image(bytes(2 * BLOCK_SIZE + 10), 0x1000)
    assert [(part.name, part.size) for part in program.parts] == [
        ("0x00001000", BLOCK_SIZE),
        ("0x00002000", BLOCK_SIZE),
        ("0x00003000", 10),
    ]
    of_image = Program.from_image(releases()[1].image, SLOT_A_ADDR)
    assert [part.kind for part in of_image.parts] == [PartKind.BLOCK, PartKind.TABLE, PartKind.TAIL]


@given(st.integers(0, 2 * BLOCK_SIZE), st.integers(0, 3 * BLOCK_SIZE))
def test_parts_in_a_stretch_share_it(offset: int, length: int) -> None:
    program = Program.from_image(bytes(2 * BLOCK_SIZE + 10), 0)
    shared = list(program.parts_in(offset, length))
    assert sum(count for _, count in shared) == min(length, 2 * BLOCK_SIZE + 10 - offset)
    assert all(part.offset < offset + length and offset < part.end for part, _ in shared)


def test_elf_of_another_build_is_refused() -> None:
    old, new = releases()
    with pytest.raises(ElfFormatError, match="not this image's: they differ at 0x0802"):
        check_elf(new.image, SLOT_A_ADDR, old.elf)
    with pytest.raises(ElfFormatError, match="loads to 0x08020000, not to 0x00000000"):
        check_elf(new.image, 0, new.elf)
    with pytest.raises(ElfFormatError, match="the image has 64"):
        check_elf(new.image[:64], SLOT_A_ADDR, new.elf)
    with pytest.raises(ElfFormatError):
        check_elf(new.image, SLOT_A_ADDR, new.elf[:100])


@settings(max_examples=60)
@given(st.integers(0, 1 << 32), st.integers(1, 8), st.booleans())
def test_damaged_elf_is_read_or_refused(seed: int, count: int, with_map: bool) -> None:
    new = releases()[1]
    rng = random.Random(seed)
    raw = bytearray(new.elf)
    for _ in range(count):
        # Section headers stand at the end.
        raw[rng.choice([rng.randrange(len(raw)), -1 - rng.randrange(1400)])] = rng.randrange(256)
    link_map = LinkMap.from_text(new.map) if with_map else None
    try:
        program = Program.from_elf(new.image, SLOT_A_ADDR, bytes(raw), link_map)
    except InputError:
        return
    assert sum(part.size for part in program.parts) == len(new.image)


def test_what_is_filled_in_after_the_link_may_differ() -> None:
    new = releases()[1]
    image = bytearray(new.image)
    image[PREFIX_OFFSET : PREFIX_OFFSET + 24] = b"\xa5" * 24
    check_elf(bytes(image), SLOT_A_ADDR, new.elf)
    image[PREFIX_OFFSET + 24] ^= 1
    with pytest.raises(ElfFormatError, match="differ at 0x0802019C"):
        check_elf(bytes(image), SLOT_A_ADDR, new.elf)


def test_map_of_another_link_is_refused() -> None:
    old, new = releases()
    with pytest.raises(LinkError, match=r"not of this ELF file: \.text"):
        Program.from_elf(new.image, SLOT_A_ADDR, new.elf, LinkMap.from_text(old.map))
