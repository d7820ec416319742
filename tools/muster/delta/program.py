# SPDX-License-Identifier: Apache-2.0
"""What lies where in an image: functions, objects and strings, by its ELF file and linker map.

Symbols: System V ABI chapter 4 and ELF for the Arm Architecture. Objects of functions: DWARF 5 section 6.1.2 (address
ranges of compilation units), unless there is a linker map, which knows them of data and strings, too.
"""

from __future__ import annotations

import bisect
import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import PurePosixPath

from elftools.common.exceptions import DWARFError, ELFError
from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection

from muster.build.mapfile import LinkMap
from muster.elf import Elf
from muster.errors import ElfFormatError, FormatError, LinkError
from muster.image.image import Image
from muster.layout import BODY_MIN_SIZE, PREFIX_OFFSET

BLOCK_SIZE = 4096
"""Bytes per part where nothing is known of an image."""

_FILLED_IN_AT_END = 38
"""SHA-256, length and CRC at the end of a module of Particle's, which are filled in after the link."""

_ALIGNMENT = 4
"""A shorter stretch without a name fills up to the next word; a longer one of equal bytes is a gap, too."""

_UNNAMED = {"": "padding", ".module_prefix": "module prefix"}
"""What bytes without a symbol are called, by their section."""

_READ_ERRORS = (
    ELFError,
    DWARFError,
    AssertionError,
    ValueError,
    KeyError,
    IndexError,
    TypeError,
    AttributeError,
)
"""pyelftools has errors of its own, asserts things of the file, and lets Python's errors through where a damaged one
surprises it."""


class PartKind(StrEnum):
    FUNCTION = "function"
    OBJECT = "object"
    UNNAMED = "unnamed"
    """Bytes without a symbol: strings, padding, the module prefix."""
    BLOCK = "block"
    """Bytes of an image without an ELF file."""
    TABLE = "relocation table"
    TAIL = "tail"
    """Manifest, signatures and suffix."""


@dataclass(frozen=True, slots=True)
class Part:
    """A stretch of an image.

    Attributes:
        offset: in the image.
        size: bytes.
        object_file: `m14.o`, `libc_nano.a(lib_a-memcpy.o)`, a source file's name where no map is given, or empty.
        section: of the program; empty where there is none.
        scope: source file of a name that others may have, too (a static function); else empty.
    """

    offset: int
    size: int
    name: str
    kind: PartKind
    object_file: str = ""
    section: str = ""
    scope: str = ""

    @property
    def end(self) -> int:
        return self.offset + self.size


@dataclass(frozen=True, slots=True)
class Program:
    """An image and what its bytes are.

    Attributes:
        image: canonical form.
        load_base: address of the first byte.
        parts: in rising order, without holes or overlaps, from the first byte to the last.
        sections: first address of each section of the program.
        is_named: an ELF file has given the parts their names.
    """

    image: bytes = field(repr=False)
    load_base: int
    parts: tuple[Part, ...] = field(repr=False)
    sections: dict[str, int] = field(default_factory=dict)
    is_named: bool = False
    _starts: tuple[int, ...] = field(init=False, repr=False, compare=False)
    _known: tuple[tuple[int, int, str], ...] = field(default=(), repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_starts", tuple(part.offset for part in self.parts))

    @classmethod
    def from_image(cls, image: bytes, load_base: int) -> Program:
        """An image of which nothing more is known: blocks of 4 KiB of addresses."""
        code_end = _code_end(image)
        parts = []
        for at in range(0, code_end, BLOCK_SIZE):
            size = min(BLOCK_SIZE, code_end - at)
            parts.append(Part(at, size, f"0x{load_base + at:08X}", PartKind.BLOCK))
        return cls(image, load_base, (*parts, *_end_parts(image, code_end)))

    @classmethod
    def from_elf(cls, image: bytes, load_base: int, elf: bytes, link_map: LinkMap | None = None) -> Program:
        """An image with the names of the ELF file that it was made of.

        Raises:
            ElfFormatError: it cannot be read, or is not the ELF file of this image.
            LinkError: the map is not that of the ELF file.
        """
        check_elf(image, load_base, elf)
        found = _ElfParts(elf, load_base)
        if link_map is not None:
            _check_map(link_map, found)
        code_end = _code_end(image)
        inputs = _inputs(found, link_map)
        parts = tuple(_without_holes(found, inputs, image[:code_end]))
        return cls(
            image,
            load_base,
            (*parts, *_end_parts(image, code_end)),
            {section.name: section.addr for section in found.sections},
            True,
            tuple(sorted((symbol.addr, symbol.size, symbol.name) for symbol in found.symbols)),
        )

    def parts_in(self, offset: int, length: int) -> Iterator[tuple[Part, int]]:
        """The parts that [offset, offset + length) meets, each with the number of bytes in it."""
        number = max(bisect.bisect_right(self._starts, offset) - 1, 0)
        end = offset + length
        while number < len(self.parts) and self.parts[number].offset < end:
            part = self.parts[number]
            shared = min(part.end, end) - max(part.offset, offset)
            if shared > 0:
                yield part, shared
            number += 1

    def name_at(self, addr: int) -> tuple[str, int] | None:
        """Name of what lies at an address of flash or RAM, and how far behind its beginning; None: nothing known."""
        number = bisect.bisect_right(self._known, addr, key=lambda known: known[0])
        for start, size, name in reversed(self._known[max(number - 4, 0) : number]):
            if addr < start + size:
                return name, addr - start
        return None


def check_elf(image: bytes, load_base: int, elf: bytes) -> None:
    """Makes sure that an image was made of an ELF file: what the file loads is what the image begins with.

    The module prefix and the image's last 38 bytes may differ: they are filled in after the link.

    Raises:
        ElfFormatError: it was not, or the file cannot be read.
    """
    addr, flat = Elf.from_bytes(elf).flat()
    if addr != load_base:
        raise ElfFormatError(f"the ELF file is not this image's: it loads to 0x{addr:08X}, not to 0x{load_base:08X}")
    if len(flat) > len(image):
        raise ElfFormatError(
            f"the ELF file is not this image's: it loads {len(flat)} bytes, the image has {len(image)}"
        )
    for start, end in ((0, PREFIX_OFFSET), (BODY_MIN_SIZE, min(len(flat), len(image) - _FILLED_IN_AT_END))):
        if flat[start:end] != image[start:end]:
            at = next(at for at in range(start, end) if flat[at] != image[at])
            raise ElfFormatError(f"the ELF file is not this image's: they differ at 0x{load_base + at:08X}")


def _code_end(image: bytes) -> int:
    try:
        return Image.from_bytes(image).manifest.reloc_start
    except FormatError:
        return len(image)


def _end_parts(image: bytes, code_end: int) -> Iterator[Part]:
    if code_end < len(image):
        ext_start = Image.from_bytes(image).manifest.ext_start
        yield Part(code_end, ext_start - code_end, "relocation table", PartKind.TABLE)
        yield Part(ext_start, len(image) - ext_start, "signatures and ids", PartKind.TAIL)


@dataclass(frozen=True, slots=True)
class _Section:
    name: str
    addr: int
    size: int
    offset: int | None
    """In the image; None for what is not in it."""


@dataclass(frozen=True, slots=True)
class _Symbol:
    name: str
    addr: int
    size: int
    kind: PartKind
    section: str
    scope: str
    rank: int
    """Of several names for the same bytes the one with the lowest rank counts."""


class _ElfParts:
    """Sections and symbols of an ELF file, with their places in the image."""

    def __init__(self, raw: bytes, load_base: int) -> None:
        try:
            file = ELFFile(io.BytesIO(raw))
            self._segments = [
                (int(segment["p_vaddr"]), int(segment["p_filesz"]), int(segment["p_paddr"]) - load_base)
                for segment in file.iter_segments("PT_LOAD")
            ]
            self.sections = tuple(self._read_sections(file))
            self.symbols = tuple(_sized(list(self._read_symbols(file))))
        except _READ_ERRORS as error:
            raise ElfFormatError(f"not an ELF file that can be read: {error}") from error
        self._raw = raw

    def units(self) -> list[tuple[int, int, str]]:
        """First address, end and source file of every function that the debug information knows of."""
        try:
            return list(_units(ELFFile(io.BytesIO(self._raw))))
        except _READ_ERRORS as error:
            raise ElfFormatError(f"its debug information cannot be read: {error}") from error

    def offset_of(self, addr: int) -> int | None:
        """Where the byte that is loaded for an address lies in the image."""
        for start, size, offset in self._segments:
            if start <= addr < start + size:
                return addr - start + offset
        return None

    def _read_sections(self, file: ELFFile) -> Iterator[_Section]:
        for section in file.iter_sections():
            if int(section["sh_flags"]) & 0x2 and section["sh_size"] > 0:  # SHF_ALLOC
                addr = int(section["sh_addr"])
                offset = None if section["sh_type"] == "SHT_NOBITS" else self.offset_of(addr)
                yield _Section(str(section.name), addr, int(section["sh_size"]), offset)

    def _read_symbols(self, file: ELFFile) -> Iterator[_Symbol]:
        table = file.get_section_by_name(".symtab")
        if not isinstance(table, SymbolTableSection):
            return
        names = [str(section.name) for section in file.iter_sections()]
        ranks = {"STB_GLOBAL": 0, "STB_WEAK": 1, "STB_LOCAL": 2}
        source = ""
        for symbol in table.iter_symbols():
            kind, bind, index = symbol["st_info"]["type"], symbol["st_info"]["bind"], symbol["st_shndx"]
            if kind == "STT_FILE":
                source = str(symbol.name)
            if kind not in ("STT_FUNC", "STT_OBJECT") or not isinstance(index, int) or not symbol.name:
                continue
            is_function = kind == "STT_FUNC"
            addr = int(symbol["st_value"])
            yield _Symbol(
                str(symbol.name),
                addr & ~1 if is_function else addr,
                int(symbol["st_size"]),
                PartKind.FUNCTION if is_function else PartKind.OBJECT,
                names[index],
                source if bind == "STB_LOCAL" else "",
                ranks.get(bind, 3),
            )


def _sized(symbols: list[_Symbol]) -> Iterator[_Symbol]:
    # Assembly often gives its functions no size: each ends where the next one begins.
    starts = sorted({(symbol.section, symbol.addr) for symbol in symbols})
    for symbol in symbols:
        size = symbol.size
        if size == 0 and symbol.kind is PartKind.FUNCTION:
            number = bisect.bisect_right(starts, (symbol.section, symbol.addr))
            if number < len(starts) and starts[number][0] == symbol.section:
                size = starts[number][1] - symbol.addr
        if size > 0:
            yield _Symbol(symbol.name, symbol.addr, size, symbol.kind, symbol.section, symbol.scope, symbol.rank)


def _units(file: ELFFile) -> Iterator[tuple[int, int, str]]:
    if not file.has_dwarf_info():
        return
    dwarf = file.get_dwarf_info()
    ranges = dwarf.get_aranges()
    names: dict[int, str] = {}
    for entry in ranges.entries if ranges is not None else ():
        # Functions that the linker has thrown away stay in the table, at address 0.
        if entry.begin_addr == 0 or entry.length == 0:
            continue
        unit = entry.info_offset
        if unit not in names:
            name = dwarf.get_CU_at(unit).get_top_DIE().attributes.get("DW_AT_name")
            names[unit] = PurePosixPath(name.value.decode()).name if name is not None else ""
        yield int(entry.begin_addr), int(entry.begin_addr + entry.length), names[unit]


@dataclass(frozen=True, slots=True)
class _Input:
    """What the linker took from one object file: a stretch of the image."""

    offset: int
    end: int
    name: str
    object_file: str


def _inputs(elf: _ElfParts, link_map: LinkMap | None) -> list[_Input]:
    found = []
    if link_map is not None:
        entries: Iterable[tuple[int, int, str, str]] = (
            (section.addr, section.size, section.name, _object_name(section.object_file))
            for section in link_map.sections
        )
    else:
        entries = ((start, end - start, "", name) for start, end, name in elf.units())
    for addr, size, name, object_file in entries:
        offset = elf.offset_of(addr)
        if offset is not None and size > 0:
            found.append(_Input(offset, offset + size, name, object_file))
    return sorted(found, key=lambda item: (item.offset, item.end, item.name))


def _object_name(path: str) -> str:
    archive, paren, member = path.partition("(")
    return PurePosixPath(archive).name + paren + member


def _check_map(link_map: LinkMap, elf: _ElfParts) -> None:
    for section in elf.sections:
        if link_map.outputs.get(section.name) != (section.addr, section.size):
            raise LinkError(f"the map is not of this ELF file: {section.name} lies elsewhere or has another size")


def _without_holes(elf: _ElfParts, inputs: list[_Input], code: bytes) -> Iterator[Part]:
    """The symbols in the image, one name for each byte, and what lies between them."""
    code_end = len(code)
    placed = []
    for symbol in elf.symbols:
        offset = elf.offset_of(symbol.addr)
        if offset is not None and 0 <= offset < code_end:
            placed.append((offset, -symbol.size, symbol.rank, symbol.name, symbol))
    cursor = 0
    starts = [item.offset for item in inputs]
    for offset, _, _, _, symbol in sorted(placed, key=lambda item: item[:4]):
        end = min(offset + symbol.size, code_end)
        # Another name for the same bytes, or a label inside of them.
        if end <= cursor:
            continue
        start = max(offset, cursor)
        yield from _unnamed(elf, inputs, starts, cursor, code[:start])
        near = _input_at(inputs, starts, start)
        object_file = near.object_file if near is not None and start < near.end else symbol.scope
        yield Part(start, end - start, symbol.name, symbol.kind, object_file, symbol.section, symbol.scope)
        cursor = end
    yield from _unnamed(elf, inputs, starts, cursor, code)


def _input_at(inputs: list[_Input], starts: list[int], offset: int) -> _Input | None:
    number = bisect.bisect_right(starts, offset)
    return inputs[number - 1] if number else None


def _unnamed(elf: _ElfParts, inputs: list[_Input], starts: list[int], start: int, code: bytes) -> Iterator[Part]:
    end = len(code)
    while start < end:
        section = _section_at(elf, start)
        stop = min(end, _next_section(elf, start))
        near = _input_at(inputs, starts, start)
        number = bisect.bisect_right(starts, start)
        if number < len(inputs):
            stop = min(stop, inputs[number].offset)
        name, object_file = "", ""
        if near is not None and start < near.end:
            stop = min(stop, near.end)
            object_file = near.object_file
            name = _input_title(near.name)
        if not name:
            is_padding = stop - start < _ALIGNMENT or len(set(code[start:stop])) == 1
            name = _UNNAMED.get(section, "padding" if is_padding else f"{section}, no symbol")
        yield Part(start, stop - start, name, PartKind.UNNAMED, object_file, section)
        start = stop


def _input_title(name: str) -> str:
    if ".str" in name and name.startswith(".rodata."):
        owner = name.removeprefix(".rodata.").partition(".str")[0]
        return f"strings of {owner}" if owner else "strings"
    return name


def _section_at(elf: _ElfParts, offset: int) -> str:
    for section in elf.sections:
        if section.offset is not None and section.offset <= offset < section.offset + section.size:
            return section.name
    return ""


def _next_section(elf: _ElfParts, offset: int) -> int:
    edges = [
        edge
        for section in elf.sections
        if section.offset is not None
        for edge in (section.offset, section.offset + section.size)
        if edge > offset
    ]
    return min(edges, default=1 << 32)
