# SPDX-License-Identifier: Apache-2.0
"""What the library needs of an ELF file (System V ABI; ELF for the Arm Architecture): flat bytes, symbols, sizes."""

from __future__ import annotations

import bisect
import io
from collections.abc import Iterable
from dataclasses import dataclass, field

from elftools.common.exceptions import ELFError
from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection

from muster.errors import ElfFormatError
from muster.layout import ERASED

_FLAT_SIZE_MAX = 0x10_0000
"""No flat image is longer than the chip's flash, 1 MiB; a hole this large means a segment at a wrong address."""


@dataclass(frozen=True, slots=True)
class Symbol:
    """A function or object.

    Attributes:
        addr: its address, without the Thumb bit.
        size: bytes.
        object_file: the compiler's input it came from (its STT_FILE name), empty where unknown.
    """

    name: str
    addr: int
    size: int
    object_file: str


@dataclass(frozen=True, slots=True)
class Section:
    """An allocated section: `flash` and `ram` say where its bytes count."""

    name: str
    addr: int
    size: int
    in_flash: bool
    in_ram: bool


@dataclass(frozen=True, slots=True)
class Elf:
    """A linked program.

    Raises:
        ElfFormatError: not an ELF file.
    """

    raw: bytes = field(repr=False)
    symbols: tuple[Symbol, ...] = field(init=False, compare=False, repr=False)
    sections: tuple[Section, ...] = field(init=False, compare=False, repr=False)
    entry: int = field(init=False, compare=False)
    _segments: tuple[tuple[int, bytes], ...] = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        try:
            file = ELFFile(io.BytesIO(self.raw))
            segments = tuple(
                (int(segment["p_paddr"]), bytes(segment.data()))
                for segment in file.iter_segments("PT_LOAD")
                if segment["p_filesz"] > 0
            )
            symbols = tuple(_symbols(file))
            sections = tuple(_sections(file))
            entry = int(file["e_entry"])
        except (ELFError, ValueError, KeyError, IndexError, TypeError, AttributeError, UnicodeDecodeError) as error:
            # pyelftools has one error of its own and lets Python's through where a damaged file surprises it.
            raise ElfFormatError(f"not an ELF file that can be read: {error}") from error
        object.__setattr__(self, "_segments", segments)
        object.__setattr__(self, "symbols", symbols)
        object.__setattr__(self, "sections", sections)
        object.__setattr__(self, "entry", entry)

    @classmethod
    def from_bytes(cls, raw: bytes) -> Elf:
        """Parses an ELF file."""
        return cls(raw)

    def flat(self) -> tuple[int, bytes]:
        """Load address and flat bytes: every loaded segment by physical address, holes filled with 0xFF.

        The same bytes as `objcopy -O binary --gap-fill 0xFF`.

        Raises:
            ElfFormatError: nothing is loaded, segments overlap, or they span more than 1 MiB.
        """
        segments = sorted(self._segments)
        if not segments:
            raise ElfFormatError("the ELF file loads nothing")
        first = segments[0][0]
        out = bytearray()
        for addr, data in segments:
            hole = addr - first - len(out)
            if hole < 0:
                raise ElfFormatError(f"two segments overlap at 0x{addr:08X}")
            if addr - first + len(data) > _FLAT_SIZE_MAX:
                raise ElfFormatError(f"a segment at 0x{addr:08X} lies too far from the first one at 0x{first:08X}")
            out += bytes([ERASED]) * hole + data
        return first, bytes(out)

    def symbol_at(self, addr: int) -> str:
        """Names what lies at an address: `name`, `name+0x10`, or the address itself where nothing is known."""
        known = [symbol for symbol in self.symbols if symbol.size > 0]
        number = bisect.bisect_right(known, addr, key=lambda symbol: symbol.addr)
        for symbol in reversed(known[max(number - 8, 0) : number]):
            if addr < symbol.addr + symbol.size:
                return symbol.name if addr == symbol.addr else f"{symbol.name}+0x{addr - symbol.addr:X}"
        return f"0x{addr:08X}"

    def address_of(self, name: str) -> int:
        """The address of a symbol.

        Raises:
            ElfFormatError: there is none of that name.
        """
        for symbol in self.symbols:
            if symbol.name == name:
                return symbol.addr
        raise ElfFormatError(f"the ELF file has no symbol {name}")

    def largest_symbols(self, count: int) -> list[Symbol]:
        """The symbols with the most bytes, largest first, equal ones by name."""
        return sorted(self.symbols, key=lambda symbol: (-symbol.size, symbol.name, symbol.addr))[:count]

    def sizes_by_object(self) -> dict[str, int]:
        """Bytes of all symbols by the file they came from, largest first, equal ones by name."""
        sizes: dict[str, int] = {}
        for symbol in self.symbols:
            sizes[symbol.object_file] = sizes.get(symbol.object_file, 0) + symbol.size
        return dict(sorted(sizes.items(), key=lambda item: (-item[1], item[0])))

    @property
    def flash_bytes(self) -> int:
        """Bytes that the program takes in flash: code, constants and initial values."""
        return sum(section.size for section in self.sections if section.in_flash)

    @property
    def ram_bytes(self) -> int:
        """Bytes that the program takes in RAM when it starts: data, bss and whatever the linker script reserves."""
        return sum(section.size for section in self.sections if section.in_ram)


def _symbols(file: ELFFile) -> Iterable[Symbol]:
    table = file.get_section_by_name(".symtab")
    if not isinstance(table, SymbolTableSection):
        return []
    found = []
    source = ""
    for symbol in table.iter_symbols():
        kind = symbol["st_info"]["type"]
        if kind == "STT_FILE":
            source = str(symbol.name)
        elif kind in ("STT_FUNC", "STT_OBJECT", "STT_NOTYPE") and symbol.name and not symbol.name.startswith("$"):
            if symbol["st_shndx"] == "SHN_UNDEF":
                continue
            # Local symbols follow their file's entry; global ones stand behind all files and name none.
            is_local = symbol["st_info"]["bind"] == "STB_LOCAL"
            addr = int(symbol["st_value"]) & ~1 if kind == "STT_FUNC" else int(symbol["st_value"])
            found.append(Symbol(str(symbol.name), addr, int(symbol["st_size"]), source if is_local else ""))
    return sorted(found, key=lambda symbol: (symbol.addr, symbol.size, symbol.name))


def _sections(file: ELFFile) -> Iterable[Section]:
    for section in file.iter_sections():
        flags = int(section["sh_flags"])
        if not flags & 0x2 or section["sh_size"] == 0:  # SHF_ALLOC
            continue
        addr = int(section["sh_addr"])
        in_ram = 0x2000_0000 <= addr < 0x4000_0000
        in_flash = section["sh_type"] != "SHT_NOBITS"
        yield Section(str(section.name), addr, int(section["sh_size"]), in_flash, in_ram)
