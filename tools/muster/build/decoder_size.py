# SPDX-License-Identifier: Apache-2.0
"""What the patch decoder takes of a linked firmware: code, tables and state (docs/spec/patch.md section 1)."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any

from elftools.common.exceptions import ELFError
from elftools.dwarf.die import DIE
from elftools.elf.elffile import ELFFile

from muster.build.size_row import SizeRow
from muster.errors import ElfFormatError

FAST_SOURCES = frozenset({"delta_halfword.c", "delta_mix.c", "delta_range.c", "sha256.c"})
"""Sources of firmware/core that run for each bit of a patch or each byte of an image: compiled for speed."""

FAST_FLAGS = ("-O2", "-fno-schedule-insns", "-fno-schedule-insns2")
"""In the place of -Os. An order for deeper pipelines than a Cortex-M3 has only costs registers."""

SMALL_SOURCE = "device/delta_small.c"
"""Of firmware/core/src: includes the rest of the decoder."""

SMALL_FLAGS = ("-fwhole-program", "-fno-move-loop-invariants", "-fno-schedule-insns2", "-fno-tree-tail-merge")
"""Besides -Os: each of the last three makes this code smaller."""


def is_in_small_source(name: str) -> bool:
    """Whether a source of firmware/core/src is compiled as part of SMALL_SOURCE."""
    return name.startswith("delta") and name not in FAST_SOURCES and not name.endswith("_tables.c")


CODE_MAX = 8_192
TABLES_MAX = 16_384
STATE_MAX = 4096
"""In bytes: of profile 1, besides the write buffer."""

_FOLDER = "core/src/"
_UNIT = _FOLDER + SMALL_SOURCE


@dataclass(frozen=True, slots=True)
class DecoderSize:
    """In bytes.

    Attributes:
        code: of everything in firmware/core/src/delta*.c, as it was linked.
        tables: constants of the same files.
        state: of a decoder with profile 1: the struct without its write buffer, and its counters.
        state_large: of one with both profiles.
    """

    code: int
    tables: int
    state: int
    state_large: int

    @property
    def rows(self) -> tuple[SizeRow, ...]:
        """Against the limits."""
        return (
            SizeRow("decoder code", self.code, CODE_MAX),
            SizeRow("decoder tables", self.tables, TABLES_MAX),
            SizeRow("decoder state", self.state, STATE_MAX),
        )

    @classmethod
    def of_elf(cls, raw: bytes) -> DecoderSize:
        """Measures a linked ELF file with debugging information (DWARF 4 or 5).

        Raises:
            ElfFormatError: not such a file, or there is no decoder in it.
        """
        try:
            return _measure(ELFFile(io.BytesIO(raw)))
        except (ELFError, ValueError, KeyError, IndexError, TypeError, AttributeError, UnicodeDecodeError) as error:
            # pyelftools has one error of its own and lets Python's through where a damaged file surprises it.
            raise ElfFormatError(f"the decoder cannot be measured: {error}") from error


def _measure(file: Any) -> DecoderSize:
    table_of = {name: size for name, kind, size in _symbols(file) if kind == "STT_OBJECT"}
    code = tables = 0
    facts: dict[str, int] = {}
    for unit in file.get_dwarf_info().iter_CUs():
        top = unit.get_top_DIE()
        name = _name(top)
        if _FOLDER not in name or not name.rpartition("/")[2].startswith("delta"):
            continue
        for die in top.iter_children():
            code += _code_size(die)
            tables += table_of.pop(_variable(die), 0)
        if name.endswith(_UNIT):
            facts = _facts(top)
    if not facts:
        raise ElfFormatError(f"there is no {_UNIT} in the ELF file")
    state = facts["ota_delta"] - facts["OTA_DELTA_OUT_SIZE"]
    small, large = (2 * facts[f"OTA_DELTA_COUNTERS_{profile}"] for profile in ("SMALL", "LARGE"))
    return DecoderSize(code, tables, state + small, state + large)


def _symbols(file: Any) -> list[tuple[str, str, int]]:
    """Name, type and size of each symbol that has a place."""
    table = file.get_section_by_name(".symtab")
    if table is None:
        raise ElfFormatError("the ELF file has no symbols")
    return [
        (str(symbol.name), str(symbol["st_info"]["type"]), int(symbol["st_size"]))
        for symbol in table.iter_symbols()
        if symbol["st_shndx"] != "SHN_UNDEF"
    ]


def _name(die: DIE) -> str:
    attribute = die.attributes.get("DW_AT_name")
    return "" if attribute is None else attribute.value.decode("utf-8", "replace")


def _code_size(die: DIE) -> int:
    """Bytes of a function that the linker kept: those it threw away begin at address 0."""
    low, high = die.attributes.get("DW_AT_low_pc"), die.attributes.get("DW_AT_high_pc")
    if die.tag != "DW_TAG_subprogram" or low is None or high is None or low.value == 0:
        return 0
    return int(high.value - low.value if high.form == "DW_FORM_addr" else high.value)


def _variable(die: DIE) -> str:
    """The name of a variable that is defined here; where a header declares it, the declaration has the name."""
    if die.tag != "DW_TAG_variable" or "DW_AT_location" not in die.attributes:
        return ""
    is_declared = "DW_AT_specification" in die.attributes
    return _name(die.get_DIE_from_attribute("DW_AT_specification") if is_declared else die)


def _facts(top: DIE) -> dict[str, int]:
    """Sizes of structs and values of enumerators, by name."""
    found: dict[str, int] = {}
    for die in top.iter_children():
        if die.tag == "DW_TAG_structure_type" and "DW_AT_byte_size" in die.attributes:
            found[_name(die)] = int(die.attributes["DW_AT_byte_size"].value)
        elif die.tag == "DW_TAG_enumeration_type":
            for child in die.iter_children():
                found[_name(child)] = int(child.attributes["DW_AT_const_value"].value)
    return found
