# SPDX-License-Identifier: Apache-2.0
"""Linker maps (GNU ld -Map): the same on every machine, and read back."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from muster.errors import LinkError

_FOLDERS = re.compile(r"(?<![\w.\-/])/(?:[^\s()/]+/)+")
_FIRST_LINE = "Linker script and memory map"
_LAST_LINE = "OUTPUT("
_HEX = r"0x([0-9a-f]+)"
_OUTPUT = re.compile(rf"(\.\S+)\s+{_HEX}\s+{_HEX}(?: load address {_HEX})?")
_INPUT = re.compile(rf" (\S+)\s+{_HEX}\s+{_HEX} ?(.*)")
_NAME_ALONE = re.compile(r" ?[^\s(]+")
FILL = "*fill*"
"""What the map calls a gap."""


@dataclass(frozen=True, slots=True)
class MapSection:
    """An input section where the linker has put it.

    Attributes:
        output: the section of the program that it lies in, as `.text`.
        object_file: as the map names it: `folder/main.o` or `libc_nano.a(lib_a-memcpy.o)`.
        size: bytes that it takes there; of a string section those that no other section holds already.
    """

    output: str
    name: str
    object_file: str
    addr: int
    size: int

    @property
    def end(self) -> int:
        return self.addr + self.size


@dataclass(frozen=True, slots=True)
class LinkMap:
    """A linker map.

    Attributes:
        outputs: address and size of every output section.
        loads: where in flash the content of an output section lies that runs in RAM.
        sections: every input section that takes room, in the order of the map.
    """

    outputs: dict[str, tuple[int, int]]
    loads: dict[str, int]
    sections: tuple[MapSection, ...]

    @classmethod
    def from_text(cls, text: str) -> LinkMap:
        """Reads a map.

        Raises:
            LinkError: it is not a map.
        """
        outputs: dict[str, tuple[int, int]] = {}
        loads: dict[str, int] = {}
        found: list[MapSection] = []
        output = ""
        for line in _whole_lines(text):
            if match := _OUTPUT.fullmatch(line):
                output = match[1]
                outputs[output] = (int(match[2], 16), int(match[3], 16))
                if match[4]:
                    loads[output] = int(match[4], 16)
            elif not line.startswith(" "):
                output = ""
            elif output and (match := _INPUT.fullmatch(line)):
                found.append(MapSection(output, match[1], match[4], int(match[2], 16), int(match[3], 16)))
        if not outputs:
            raise LinkError("this is not a linker map")
        return cls(outputs, loads, tuple(_with_real_sizes(found, outputs)))


def without_folders(text: str) -> str:
    """A linker map without absolute folders: of the compiler's own libraries only the file names stay."""
    return _FOLDERS.sub("", text)


def _whole_lines(text: str) -> Iterator[str]:
    """The lines of the memory map; a long name, which ld writes on a line of its own, is joined with what follows."""
    lines = iter(text.splitlines())
    for line in lines:
        if line == _FIRST_LINE:
            break
    before = ""
    for line in lines:
        if line.startswith(_LAST_LINE):
            return
        if before and line.startswith("  "):
            yield f"{before} {line}"
            before = ""
        elif _NAME_ALONE.fullmatch(line):
            before = line
        else:
            before = ""
            yield line


def _with_real_sizes(found: list[MapSection], outputs: dict[str, tuple[int, int]]) -> Iterator[MapSection]:
    # A string section whose strings all lie elsewhere still has its old size in the map, but the next section begins
    # at its own address.
    for number, section in enumerate(found):
        addr, size = outputs[section.output]
        end = addr + size
        if number + 1 < len(found) and found[number + 1].output == section.output:
            end = found[number + 1].addr
        real = min(section.size, end - section.addr)
        if section.name != FILL and real > 0:
            yield replace(section, size=real)
