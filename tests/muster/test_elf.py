# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from muster.elf import Elf
from muster.errors import ElfFormatError

_SOURCE = """
__attribute__((section(".vectors"), used)) const unsigned vectors[4] = {0x20020000, 1, 2, 3};
static const char text[] = "a constant";
const char *pointer = text;
int counter[10];
static int hidden(int x) { return x * 3; }
int visible(int x) { return hidden(x) + counter[0] + *pointer; }
"""

_SCRIPT = """
MEMORY { FLASH (rx): ORIGIN = 0x08020000, LENGTH = 64K
         RAM (rw): ORIGIN = 0x20000000, LENGTH = 16K }
ENTRY(visible)
SECTIONS {
  .vectors : { KEEP(*(.vectors)) . = 0x40; } > FLASH
  .text : { *(.text*) *(.rodata*) } > FLASH
  .data : { *(.data*) } > RAM AT > FLASH
  .bss (NOLOAD) : { *(.bss*) *(COMMON) } > RAM
}
"""


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("elf")
    (folder / "program.c").write_text(_SOURCE)
    (folder / "program.ld").write_text(_SCRIPT)
    flags = ["-mcpu=cortex-m3", "-mthumb", "-O1", "-fno-inline", "-nostdlib", "-nostartfiles", "-T", "program.ld"]
    subprocess.run(["arm-none-eabi-gcc", *flags, "program.c", "-o", "program.elf"], cwd=folder, check=True)
    return folder / "program.elf"


def test_flat_bytes_are_objcopys(program: Path) -> None:
    flat = program.with_name("flat.bin")
    subprocess.run(
        ["arm-none-eabi-objcopy", "-O", "binary", "--gap-fill", "0xff", program, flat], check=True, cwd=program.parent
    )
    addr, raw = Elf.from_bytes(program.read_bytes()).flat()
    assert addr == 0x0802_0000
    assert raw == flat.read_bytes()


def test_symbols_are_named_with_their_offsets(program: Path) -> None:
    elf = Elf.from_bytes(program.read_bytes())
    visible = elf.address_of("visible")
    assert visible % 2 == 0
    assert elf.symbol_at(visible) == "visible"
    assert elf.symbol_at(visible + 2) == "visible+0x2"
    assert elf.symbol_at(elf.address_of("counter") + 4) == "counter+0x4"
    assert elf.symbol_at(0x1000_0000) == "0x10000000"
    with pytest.raises(ElfFormatError, match="no symbol missing"):
        elf.address_of("missing")


def test_sizes_are_found(program: Path) -> None:
    elf = Elf.from_bytes(program.read_bytes())
    assert (elf.largest_symbols(1)[0].name, elf.largest_symbols(1)[0].size) == ("counter", 40)
    assert elf.sizes_by_object()["program.c"] > 0
    assert elf.ram_bytes == 44
    assert elf.flash_bytes == len(elf.flat()[1])
    assert elf.entry == elf.address_of("visible") | 1


@given(st.binary(max_size=200))
def test_random_bytes_are_refused(raw: bytes) -> None:
    with pytest.raises(ElfFormatError):
        Elf.from_bytes(raw)


@pytest.mark.parametrize("length", [20, 60, 400])
def test_truncated_file_is_refused(program: Path, length: int) -> None:
    with pytest.raises(ElfFormatError):
        Elf.from_bytes(program.read_bytes()[:length])
