# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

from muster.build.mapfile import LinkMap, MapSection, without_folders
from muster.errors import LinkError

MAP = """\
Discarded input sections

 .text.unused   0x00000000       0x10 main.o

Linker script and memory map

LOAD main.o

.text           0x08020000       0x20
 *(.text .text.*)
 .text.a        0x08020000        0x6 main.o
                0x08020000                a
 *fill*         0x08020006        0x2
 .text.a_long_name
                0x08020008       0x18 my lib.a(one.o)
                0x08020008                a_long_name

.rodata         0x08020020        0x8
 .rodata.a.str1.1
                0x08020020        0x5 main.o
                                  0x9 (size before relaxing)
 .rodata.b.str1.1
                0x08020025        0x4 main.o
 *fill*         0x08020025        0x3

.data           0x20000000        0x4 load address 0x08020028
                0x20000000                __data_start = .
 .data.x        0x20000000        0x4 main.o
OUTPUT(a.elf elf32-littlearm)

.comment        0x00000000       0x26
 .comment       0x00000000       0x26 main.o
"""


@pytest.mark.parametrize(
    ("line", "clean"),
    [
        ("LOAD /usr/lib/gcc/arm-none-eabi/12.2.1/thumb/v7-m/libgcc.a", "LOAD libgcc.a"),
        (
            "/usr/lib/gcc/../../arm-none-eabi/lib/libc_nano.a(lib_a-memcpy.o)",
            "libc_nano.a(lib_a-memcpy.o)",
        ),
        ("LOAD build/common/chip/flash.o", "LOAD build/common/chip/flash.o"),
        (" .text          0x08020000      0x1c build/a/b.o", " .text          0x08020000      0x1c build/a/b.o"),
    ],
)
def test_absolute_folders_go_and_all_else_stays(line: str, clean: str) -> None:
    assert without_folders(line) == clean


def test_map_tells_every_section_that_takes_room() -> None:
    link = LinkMap.from_text(MAP)
    assert link.outputs == {
        ".text": (0x0802_0000, 0x20),
        ".rodata": (0x0802_0020, 8),
        ".data": (0x2000_0000, 4),
    }
    assert link.loads == {".data": 0x0802_0028}
    assert link.sections == (
        MapSection(".text", ".text.a", "main.o", 0x0802_0000, 6),
        MapSection(".text", ".text.a_long_name", "my lib.a(one.o)", 0x0802_0008, 0x18),
        # Of .rodata.b.str1.1 nothing is left: its strings are elsewhere.
        MapSection(".rodata", ".rodata.a.str1.1", "main.o", 0x0802_0020, 5),
        MapSection(".data", ".data.x", "main.o", 0x2000_0000, 4),
    )


@pytest.mark.parametrize("text", ["", "Linker script and memory map\n", "\x7fELF"])
def test_what_is_no_map_is_refused(text: str) -> None:
    with pytest.raises(LinkError, match="not a linker map"):
        LinkMap.from_text(text)
