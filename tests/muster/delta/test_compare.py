# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import struct

import pytest

from muster.delta.compare import Change, Fate, compare
from muster.delta.program import Part, PartKind, Program
from tests.muster.delta.explained import part_named, releases

_BASE = 0x0802_0000


def test_each_name_tells_its_fate() -> None:
    old, new = (release.program() for release in releases())
    found = compare(old, new)
    fates = {name: found.changes[part_named(new, name).offset].fate for name in _FATES}
    assert fates == _FATES
    assert [part.name for part in found.removed] == ["gone"]


_FATES = {
    "vectors": Fate.SAME,
    "first_same": Fate.SAME,
    "added": Fate.NEW,
    "grew": Fate.GREW,
    "constant_changed": Fate.CHANGED,
    "moved": Fate.MOVED,
    "references": Fate.REFERENCES,
    "table": Fate.REFERENCES,
    "text": Fate.REFERENCES,
    "curve_changed": Fate.CHANGED,
    "counter": Fate.MOVED,
}


def test_growth_and_shift_are_counted() -> None:
    old, new = (release.program() for release in releases())
    before, after = part_named(old, "grew"), part_named(new, "grew")
    change = compare(old, new).changes[after.offset]
    assert change == Change(Fate.GREW, after.size - before.size, after.offset - before.offset)
    assert change.text == f"grew by {after.size - before.size}"
    back = compare(new, old).changes[before.offset]
    assert (back.fate, back.grown) == (Fate.SHRANK, before.size - after.size)


def _program(*parts: tuple[str, str, bytes]) -> Program:
    """Functions one behind the other, with name, source file (of a static one) and code."""
    image = b"".join(code for _, _, code in parts)
    found = []
    at = 0
    for name, scope, code in parts:
        found.append(Part(at, len(code), name, PartKind.FUNCTION, scope=scope))
        at += len(code)
    known = tuple((_BASE + part.offset, part.size, part.name) for part in found)
    return Program(image, _BASE, tuple(found), is_named=True, _known=known)


def _fate(found: Program, base: Program, name: str) -> Fate:
    return compare(base, found).changes[part_named(found, name).offset].fate


def test_static_functions_of_one_name_are_told_apart_by_their_file() -> None:
    one, two = b"\x01\x20\x70\x47", b"\x02\x20\x70\x47"
    base = _program(("init", "a.c", one), ("init", "b.c", two))
    target = _program(("init", "b.c", two), ("init", "a.c", one))
    assert {change.fate for change in compare(base, target).changes.values()} == {Fate.MOVED}


def test_numbers_of_the_compiler_do_not_make_a_function_new() -> None:
    code = b"\x01\x20\x70\x47"
    assert _fate(_program(("f.part.7", "a.c", code)), _program(("f.part.0", "a.c", code)), "f.part.7") is Fate.SAME
    assert _fate(_program(("f.isra.0", "a.c", code)), _program(("f", "a.c", code)), "f.isra.0") is Fate.SAME
    assert _fate(_program(("f.part.0", "a.c", code)), _program(("f", "a.c", code)), "f.part.0") is Fate.NEW
    assert _fate(_program(("f", "new.c", code)), _program(("f", "old.c", code)), "f") is Fate.SAME


def _branch(kind: str, offset: int) -> bytes:
    """BL, B.W or a conditional B.W (here BEQ.W), from its own address + 4 (ARMv7-M, A7.7.12)."""
    sign = int(offset < 0)
    if kind == "beq":
        first = 0xF000 | sign << 10 | offset >> 12 & 0x3F
        second = 0x8000 | (offset >> 18 & 1) << 13 | (offset >> 19 & 1) << 11 | offset >> 1 & 0x7FF
    else:
        j1, j2 = (offset >> 23 & 1) ^ 1 ^ sign, (offset >> 22 & 1) ^ 1 ^ sign
        first = 0xF000 | sign << 10 | offset >> 12 & 0x3FF
        second = (0xD000 if kind == "bl" else 0x9000) | j1 << 13 | j2 << 11 | offset >> 1 & 0x7FF
    return struct.pack("<HH", first, second)


@pytest.mark.parametrize("kind", ["bl", "b.w", "beq"])
@pytest.mark.parametrize("gap", [4, 0x1000, 0x4_0000])
@pytest.mark.parametrize("goes_back", [False, True])
def test_branch_to_the_same_function_is_a_reference(kind: str, gap: int, goes_back: bool) -> None:
    def built(between: int, to: str) -> Program:
        names = ("one", "two") if to == "one" else ("two", "one")
        callees = [(name, "", bytes(range(4 * number, 4 * number + 4))) for number, name in enumerate(names)]
        filler = ("filler", "", bytes(between))
        if goes_back:
            caller = ("caller", "", _branch(kind, -(8 + between) - 4))
            return _program(*callees, filler, caller)
        caller = ("caller", "", _branch(kind, between))
        return _program(caller, filler, *callees)

    assert _fate(built(gap, "one"), built(8, "one"), "caller") is Fate.REFERENCES
    assert _fate(built(gap, "two"), built(8, "one"), "caller") is Fate.CHANGED


def test_string_without_a_name_is_known_by_its_bytes() -> None:
    def built(text_at: int, text: bytes) -> Program:
        code = struct.pack("<HHI", 0x4800, 0x4770, _BASE + text_at)
        image = code + bytes(text_at - len(code)) + text
        parts = (Part(0, 8, "f", PartKind.FUNCTION), Part(8, len(image) - 8, "strings", PartKind.UNNAMED))
        return Program(image, _BASE, parts, is_named=True, _known=((_BASE, 8, "f"),))

    assert _fate(built(0x40, b"a string"), built(0x20, b"a string"), "f") is Fate.REFERENCES
    assert _fate(built(0x40, b"another!"), built(0x20, b"a string"), "f") is Fate.CHANGED


def test_pointer_in_ram_without_a_name_is_a_reference_and_a_number_is_none() -> None:
    def built(word: int) -> Program:
        return _program(("f", "", struct.pack("<HHI", 0x4800, 0x4770, word)))

    assert _fate(built(0x2000_0120), built(0x2000_0100), "f") is Fate.REFERENCES
    assert _fate(built(0x1234_0120), built(0x1234_0100), "f") is Fate.CHANGED


def test_function_moved_by_half_a_word_reads_its_literals_nearer() -> None:
    base = _program(("before", "", bytes(4)), ("f", "", struct.pack("<HHHH", 0x4801, 0x4770, 0, 0)))
    target = _program(("before", "", bytes(6)), ("f", "", struct.pack("<HHHH", 0x4800, 0x4770, 0, 0)))
    assert _fate(target, base, "f") is Fate.REFERENCES
    other_register = _program(("before", "", bytes(6)), ("f", "", struct.pack("<HHHH", 0x4900, 0x4770, 0, 0)))
    assert _fate(other_register, base, "f") is Fate.CHANGED
