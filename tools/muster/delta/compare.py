# SPDX-License-Identifier: Apache-2.0
"""What became of each function and object from one program to the next."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum

from muster.delta.program import Part, PartKind, Program

_NUMBERED = re.compile(r"(?:\.(?:isra|constprop|lto_priv))?\.\d+(?=\.|$)")
"""What gcc adds to the names of static variables and of functions that it has adapted to their callers: it changes from
build to build. A part of a function (`.part.0`) is another thing than the function."""

_RAM = range(0x2000_0000, 0x2004_0000)
"""SRAM of a Cortex-M3 (ARMv7-M, B3.1), as far as such chips have it."""

_SAMPLE_SIZE = 8
"""How many bytes of two things without a name must be equal for them to count as the same."""


class Fate(StrEnum):
    """What became of a function or object. In the last three its content is as it was."""

    NEW = "new"
    GREW = "grew"
    SHRANK = "shrank"
    CHANGED = "changed"
    """Same size, other content."""
    REFERENCES = "references moved"
    """It differs only in branches and addresses, and those lead where they led before."""
    MOVED = "moved"
    SAME = "same"

    @property
    def is_changed(self) -> bool:
        """Whether somebody has changed its source (or what the compiler makes of it)."""
        return self in (Fate.NEW, Fate.GREW, Fate.SHRANK, Fate.CHANGED)


@dataclass(frozen=True, slots=True)
class Change:
    """What became of one part.

    Attributes:
        grown: bytes more than in the base (negative: fewer); of a new one its size.
        moved: how far its address has moved, in bytes; 0 for a new one.
    """

    fate: Fate
    grown: int
    moved: int

    @property
    def text(self) -> str:
        """As `grew by 24`."""
        if self.fate in (Fate.GREW, Fate.SHRANK):
            return f"{self.fate} by {abs(self.grown):,}"
        return self.fate.value


@dataclass(frozen=True, slots=True)
class Comparison:
    """What became of everything.

    Attributes:
        changes: by the target part's offset; of functions and objects only.
        removed: functions and objects of the base that the target has no more, largest first.
    """

    changes: dict[int, Change]
    removed: tuple[Part, ...]


def compare(base: Program, target: Program) -> Comparison:
    """Finds each function and object of the target in the base by its name, and looks at how it differs."""
    partners = _partners(base, target)
    changes = {}
    for part in _symbols(target):
        before = partners.get(part.offset)
        changes[part.offset] = Change(Fate.NEW, part.size, 0) if before is None else _change(base, before, target, part)
    kept = {part.offset for part in partners.values()}
    removed = [part for part in _symbols(base) if part.offset not in kept]
    return Comparison(changes, tuple(sorted(removed, key=lambda part: (-part.size, part.offset))))


def _symbols(program: Program) -> list[Part]:
    return [part for part in program.parts if part.kind in (PartKind.FUNCTION, PartKind.OBJECT)]


def _partners(base: Program, target: Program) -> dict[int, Part]:
    """The base's part for each part of the target that has one, by the target part's offset."""
    partners: dict[int, Part] = {}
    before, after = _symbols(base), _symbols(target)
    # What has the same name first; then, in their order, what differs only in the compiler's numbers or in the file.
    for key_of in (_exact_key, _numberless_key, _fileless_key):
        unused: dict[tuple[str, ...], list[Part]] = defaultdict(list)
        for part in before:
            unused[key_of(part)].append(part)
        wanted = _by_key(after, key_of)
        for key, parts in wanted.items():
            for part, partner in zip(parts, unused.get(key, []), strict=False):
                partners[part.offset] = partner
        used = {part.offset for part in partners.values()}
        before = [part for part in before if part.offset not in used]
        after = [part for part in after if part.offset not in partners]
    return partners


def _by_key(parts: Iterable[Part], key_of: Callable[[Part], tuple[str, ...]]) -> dict[tuple[str, ...], list[Part]]:
    found: dict[tuple[str, ...], list[Part]] = defaultdict(list)
    for part in parts:
        found[key_of(part)].append(part)
    return found


def _exact_key(part: Part) -> tuple[str, ...]:
    return part.kind, part.name, part.scope


def _numberless_key(part: Part) -> tuple[str, ...]:
    return part.kind, _NUMBERED.sub("", part.name), part.scope


def _fileless_key(part: Part) -> tuple[str, ...]:
    return part.kind, _NUMBERED.sub("", part.name)


def _change(base: Program, before: Part, target: Program, after: Part) -> Change:
    grown = after.size - before.size
    moved = target.load_base + after.offset - base.load_base - before.offset
    if grown:
        return Change(Fate.GREW if grown > 0 else Fate.SHRANK, grown, moved)
    old = base.image[before.offset : before.end]
    new = target.image[after.offset : after.end]
    if old == new:
        return Change(Fate.MOVED if moved else Fate.SAME, 0, moved)
    is_same = all(
        _leads_where_it_led(base, before.offset + at, target, after.offset + at, after.kind)
        for at in range(0, after.size, 2)
        if old[at : at + 2] != new[at : at + 2]
    )
    return Change(Fate.REFERENCES if is_same else Fate.CHANGED, 0, moved)


def _leads_where_it_led(base: Program, old_at: int, target: Program, new_at: int, kind: PartKind) -> bool:
    """Whether the halfword at two offsets belongs to a reference that means the same in both programs."""
    if old_at % 4 == new_at % 4:
        word = -(new_at % 4)
        if _same_place(base, _word(base, old_at + word), target, _word(target, new_at + word)):
            return True
    if kind is not PartKind.FUNCTION:
        return False
    for back in (0, -2):
        old, new = _branch_target(base, old_at + back), _branch_target(target, new_at + back)
        if old is not None and new is not None and _same_place(base, old, target, new):
            return True
    # A function that moves by half a word reads its literals two bytes further or nearer (LDR literal, T1).
    old_half, new_half = _half(base, old_at), _half(target, new_at)
    return old_at % 4 != new_at % 4 and old_half >> 8 == new_half >> 8 and old_half >> 11 == 0b01001


def _same_place(base: Program, old: int, target: Program, new: int) -> bool:
    named_old, named_new = base.name_at(old & ~1), target.name_at(new & ~1)
    if named_old is not None and named_new is not None:
        plain_old, plain_new = (_NUMBERED.sub("", named[0]) for named in (named_old, named_new))
        return plain_old == plain_new and named_old[1] == named_new[1]
    if named_old is not None or named_new is not None:
        return False
    if old in _RAM and new in _RAM:
        return True
    old_at, new_at = old - base.load_base, new - target.load_base
    if not (0 <= old_at < len(base.image) and 0 <= new_at < len(target.image)):
        return False
    return base.image[old_at : old_at + _SAMPLE_SIZE] == target.image[new_at : new_at + _SAMPLE_SIZE]


def _word(program: Program, at: int) -> int:
    return int.from_bytes(program.image[at : at + 4], "little")


def _half(program: Program, at: int) -> int:
    return int.from_bytes(program.image[at : at + 2], "little")


def _branch_target(program: Program, at: int) -> int | None:
    """Where the BL or B.W at an offset leads (ARMv7-M, A7.7.12 and A7.7.18, encodings T1, T3 and T4)."""
    if at < 0 or at + 4 > len(program.image):
        return None
    first, second = _half(program, at), _half(program, at + 2)
    if first >> 11 != 0b11110 or not second & 0x8000:
        return None
    sign, j1, j2 = first >> 10 & 1, second >> 13 & 1, second >> 11 & 1
    if second & 0x1000:
        high = sign << 24 | (1 ^ j1 ^ sign) << 23 | (1 ^ j2 ^ sign) << 22 | (first & 0x3FF) << 12
        offset = (high | (second & 0x7FF) << 1) - (sign << 25)
    elif not second & 0x4000 and first >> 7 & 7 != 7:
        high = sign << 20 | j2 << 19 | j1 << 18 | (first & 0x3F) << 12
        offset = (high | (second & 0x7FF) << 1) - (sign << 21)
    else:
        return None
    return program.load_base + at + 4 + offset
