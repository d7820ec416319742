# SPDX-License-Identifier: Apache-2.0
"""Two releases of a small program as images with ELF files and maps, and traces made by hand."""

from __future__ import annotations

import functools
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from muster.build.mapfile import LinkMap
from muster.build.pack import pack_image
from muster.delta import PatchHeader, encode
from muster.delta.program import Part, Program
from muster.delta.trace import Coding, Segment, Spent, Trace
from muster.elf import Elf
from muster.image.image import Image
from muster.layout import SLOT_A_ADDR, Slot
from tests.vectors import fixed

_SOURCE = Path(__file__).parent / "programs" / "explained.c"
_SCRIPT = """
MEMORY {{ FLASH (rx): ORIGIN = 0x{addr:08X}, LENGTH = 64K
          RAM (rw): ORIGIN = 0x20000000, LENGTH = 16K }}
ENTRY(entry)
SECTIONS {{
  .vectors : {{ KEEP(*(.vectors)) }} > FLASH
  .module_prefix : {{ . = 24; }} > FLASH = 0
  .text : {{ *(.text.first_same .text.gone .text.added) *(.text .text.*) }} > FLASH
  .rodata : {{ *(.rodata .rodata.*) }} > FLASH
  .data : {{ *(.data .data.*) }} > RAM AT > FLASH
  .bss (NOLOAD) : {{ *(.bss .bss.*) *(COMMON) }} > RAM
  /DISCARD/ : {{ *(.ARM.*) }}
}}
"""
HEADER_BYTES = 32


@dataclass(frozen=True, slots=True)
class Release:
    """One release: its image, ELF file and linker map."""

    image: bytes
    elf: bytes
    map: str

    def program(self, with_map: bool = True) -> Program:
        """The image with all that is known of it."""
        return Program.from_elf(self.image, SLOT_A_ADDR, self.elf, LinkMap.from_text(self.map) if with_map else None)

    @property
    def area(self) -> range:
        """Offsets of the extension area and what follows."""
        return range(Image.from_bytes(self.image).manifest.ext_start, len(self.image))


@functools.cache
def releases() -> tuple[Release, Release]:
    """Release 1 and 2."""
    with tempfile.TemporaryDirectory() as folder:
        return _build_release(Path(folder), 1), _build_release(Path(folder), 2)


def _build_release(folder: Path, number: int) -> Release:
    flags = ["-mcpu=cortex-m3", "-mthumb", "-Os", "-g", "-ffunction-sections", "-fdata-sections", "-fno-inline"]
    object_file = folder / "explained.o"
    subprocess.run(
        ["arm-none-eabi-gcc", *flags, f"-DRELEASE={number}", "-c", str(_SOURCE), "-o", str(object_file)], check=True
    )
    elfs = {}
    for slot in Slot:
        script, elf, link_map = (folder / f"release{number}_{slot.name}.{kind}" for kind in ("ld", "elf", "map"))
        script.write_text(_SCRIPT.format(addr=slot.addr))
        flags_of_link = ["-nostdlib", "-nostartfiles", "-Wl,--no-warn-rwx-segments", f"-Wl,-Map={link_map}"]
        subprocess.run(
            ["arm-none-eabi-gcc", *flags, *flags_of_link, "-T", str(script), str(object_file), "-o", str(elf)],
            check=True,
        )
        elfs[slot] = elf
    raw = elfs[Slot.A].read_bytes()
    image = pack_image(Elf.from_bytes(raw), Elf.from_bytes(elfs[Slot.B].read_bytes()), fixed.SPEC)
    return Release(image.raw, raw, elfs[Slot.A].with_suffix(".map").read_text())


def part_named(program: Program, name: str) -> Part:
    """The only part of that name."""
    found = [part for part in program.parts if part.name == name]
    assert len(found) == 1, (name, found)
    return found[0]


def header_of(base: bytes, target: bytes) -> PatchHeader:
    """The header of a patch from one image to another."""
    return encode(base, target).header


def hand_made_trace(old: Release, new: Release) -> Trace:
    """What a coder might spend on release 2: 200 bits for `added`, 100 for `grew`, 30 for a branch in `references`."""
    program = new.program()
    added, grew, references = (part_named(program, name) for name in ("added", "grew", "references"))
    spent = (
        Spent(0, 0, 24.0, Coding.MAP),
        Spent(0, 0, 40.0, Coding.TABLE),
        Spent(0, 0, 12.0, Coding.COPY),
        Spent(0, added.offset, 3.0, Coding.HIT),
        Spent(added.offset, added.size, 200.0, Coding.LITERAL),
        Spent(grew.offset, grew.size, 100.0, Coding.MISS),
        Spent(references.offset, 4, 30.0, Coding.BRANCH),
        Spent(new.area.start, len(new.area), 64.0, Coding.TAIL),
    )
    segments = (Segment(0, 0, added.offset, False, True), Segment(600, 500, 40, True, False))
    return Trace(header_of(old.image, new.image), HEADER_BYTES, spent, segments)


def patch_size(trace: Trace) -> int:
    """Bytes of a patch with this trace."""
    return trace.header_bytes + int(sum(spent.bits for spent in trace.spent)) // 8 + 1
