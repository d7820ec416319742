# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from muster.build.link_inputs import LinkInputs
from muster.errors import FileFault, LinkError

SOURCE = """\
__attribute__((aligned(16))) const int table[4] = {1, 2, 3, 4};
const char *text(void) { return "text"; }
int more(int value) { return table[value & 3]; }
"""

MAP = """\
Linker script and memory map

.text           0x08020000       0x10
 .text.text     0x08020000        0x8 {0}
 .text.more     0x08020008        0x8 {0}

.rodata         0x08020010       0x15
 .rodata.table  0x08020010       0x10 {0}
 .rodata.text.str1.1
                0x08020020        0x5 {0}
OUTPUT(a.elf elf32-littlearm)
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Holds one object, alone and in an archive, where a longer name makes it the second member."""
    folder = tmp_path_factory.mktemp("objects")
    (folder / "main.c").write_text(SOURCE)
    flags = ["-mcpu=cortex-m3", "-mthumb", "-Os", "-ffunction-sections", "-fdata-sections"]
    for name in ("main.o", "with_a_longer_name.o"):
        subprocess.run(["arm-none-eabi-gcc", *flags, "-c", "main.c", "-o", name], cwd=folder, check=True)
    (folder / "odd.txt").write_text("x")
    archive = ["arm-none-eabi-ar", "crD", "libmain.a", "odd.txt", "main.o", "with_a_longer_name.o"]
    subprocess.run(archive, cwd=folder, check=True)
    return folder


@pytest.mark.parametrize("name", ["main.o", "libmain.a(main.o)", "libmain.a(with_a_longer_name.o)"])
def test_alignment_and_strings_are_read_from_the_object(folder: Path, name: str) -> None:
    inputs = LinkInputs.read(MAP.format(name), folder)
    found = {section.name: (section.size, section.alignment, section.is_merged) for section in inputs.sections}
    assert found[".rodata.table"] == (16, 16, False)
    assert found[".rodata.text.str1.1"] == (5, 1, True)
    assert found[".text.more"][1] == 4
    assert {section.object_file for section in inputs.sections} == {name}


def test_folder_of_a_library_is_left_out(folder: Path) -> None:
    inputs = LinkInputs.read(MAP.format(folder / "libmain.a(main.o)"), Path("/nowhere"))
    assert {section.object_file for section in inputs.sections} == {"libmain.a(main.o)"}


def test_two_sections_of_one_name_are_one_input(folder: Path) -> None:
    inputs = LinkInputs.read(MAP.format("main.o").replace(".text.text", ".text.more"), folder)
    sizes = [section.size for section in inputs.sections if section.name == ".text.more"]
    assert sizes == [16]


def test_list_comes_back_from_json(folder: Path) -> None:
    inputs = LinkInputs.read(MAP.format("main.o"), folder)
    assert LinkInputs.from_json(inputs.to_json()) == inputs
    with pytest.raises(LinkError, match="not a list of input sections"):
        LinkInputs.from_json("{}")


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("main.c", "is not an object file"),
        ("libmain.a(other.o)", "holds no other.o"),
        ("main.o(main.o)", "is not an archive"),
    ],
)
def test_object_that_is_not_what_the_map_says_is_refused(folder: Path, name: str, told: str) -> None:
    with pytest.raises(LinkError, match=told):
        LinkInputs.read(MAP.format(name), folder)


def test_section_that_the_object_lacks_is_refused(folder: Path) -> None:
    with pytest.raises(LinkError, match=r"has no section \.text\.gone"):
        LinkInputs.read(MAP.format("main.o").replace(".text.more", ".text.gone"), folder)


def test_missing_object_is_refused(folder: Path) -> None:
    with pytest.raises(FileFault, match="cannot read"):
        LinkInputs.read(MAP.format("gone.o"), folder)
