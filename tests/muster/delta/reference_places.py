# SPDX-License-Identifier: Apache-2.0
"""Instructions that name a place (docs/spec/patch.md, section 8.3), and where places of the base are now (6.2)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from tests.muster.delta.reference_model import U32, bit_of

LEARNED_MAX = 20
RAM_START = 0x2000_0000
FAR, NEAR, COVERED, LEARNED = range(4)
"""How sure a new place is."""


class Form(Enum):
    """Rows of the table of section 8.3."""

    BL = "BL"
    B_WIDE = "B.W"
    LOAD_WIDE = "LDR.W literal"
    B_COND = "B<c>"
    B = "B"
    CBZ = "CBZ"
    LOAD = "LDR literal"
    ADR = "ADR"


def long_form(word: int) -> Form | None:
    """What a word is: its low half is the first halfword."""
    first, second = word & 0xFFFF, word >> 16
    if first & 0xF800 == 0xF000 and second & 0xD000 == 0xD000:
        return Form.BL
    if first & 0xF800 == 0xF000 and second & 0xD000 == 0x9000:
        return Form.B_WIDE
    if first & 0xFF1F == 0xF81F and first & 0x60 != 0x60:
        return Form.LOAD_WIDE
    return None


def short_form(half: int) -> Form | None:
    """What a halfword is."""
    if 0xD000 <= half < 0xDE00:
        return Form.B_COND
    if 0xE000 <= half < 0xE800:
        return Form.B
    if half & 0xF500 == 0xB100:
        return Form.CBZ
    if 0x4800 <= half < 0x5000:
        return Form.LOAD
    if 0xA000 <= half < 0xA800:
        return Form.ADR
    return None


def as_signed(value: int, bits: int) -> int:
    value &= (1 << bits) - 1
    return value - (1 << bits) if bit_of(value, bits - 1) else value


def named_by(form: Form, raw: int, at: int) -> int:
    """The place that an instruction at `at` names."""
    pc = at + 4
    aligned = pc & ~3
    if form in (Form.BL, Form.B_WIDE):
        first, second = raw & 0xFFFF, raw >> 16
        sign = bit_of(first, 10)
        i1, i2 = (1 - (bit_of(second, number) ^ sign) for number in (13, 11))
        distance = sign << 24 | i1 << 23 | i2 << 22 | (first & 0x3FF) << 12 | (second & 0x7FF) << 1
        return pc + as_signed(distance, 25) & U32
    if form is Form.LOAD_WIDE:
        distance = raw >> 16 & 0xFFF
        return aligned + (distance if bit_of(raw, 7) else -distance) & U32
    if form is Form.B_COND:
        return pc + 2 * as_signed(raw, 8) & U32
    if form is Form.B:
        return pc + 2 * as_signed(raw, 11) & U32
    if form is Form.CBZ:
        return pc + 64 * bit_of(raw, 9) + 2 * (raw >> 3 & 31) & U32
    return aligned + 4 * (raw & 0xFF) & U32


def naming(form: Form, raw: int, at: int, place: int) -> int | None:
    """The instruction `raw`, at `at`, naming `place` instead; None where it cannot."""
    pc = at + 4
    from_pc, from_aligned = as_signed(place - pc, 32), as_signed(place - (pc & ~3), 32)
    if form in (Form.BL, Form.B_WIDE):
        return _wide_branch_naming(raw, from_pc)
    if form is Form.LOAD_WIDE:
        if abs(from_aligned) > 4095:
            return None
        return raw & 0xF000_FF7F | abs(from_aligned) << 16 | (from_aligned >= 0) << 7
    if form is Form.B_COND:
        return raw & 0xFF00 | from_pc >> 1 & 0xFF if from_pc % 2 == 0 and -256 <= from_pc <= 254 else None
    if form is Form.B:
        return raw & 0xF800 | from_pc >> 1 & 0x7FF if from_pc % 2 == 0 and -2048 <= from_pc <= 2046 else None
    if form is Form.CBZ:
        if from_pc % 2 or not 0 <= from_pc <= 126:
            return None
        return raw & 0xFD07 | bit_of(from_pc, 6) << 9 | (from_pc >> 1 & 31) << 3
    return raw & 0xFF00 | from_aligned >> 2 if from_aligned % 4 == 0 and 0 <= from_aligned <= 1020 else None


def _wide_branch_naming(raw: int, distance: int) -> int | None:
    if distance % 2 or not -(1 << 24) <= distance <= (1 << 24) - 2:
        return None
    sign = 1 if distance < 0 else 0
    j1, j2 = (1 - bit_of(distance, number) ^ sign for number in (23, 22))
    first = raw & 0xF800 | sign << 10 | distance >> 12 & 0x3FF
    second = raw >> 16 & 0xD000 | j1 << 13 | j2 << 11 | distance >> 1 & 0x7FF
    return second << 16 | first


@dataclass(frozen=True, slots=True)
class Segment:
    """A long copy: positions in the bodies of base and target, and their length in bytes."""

    source: int
    target: int
    length: int


@dataclass(frozen=True, slots=True)
class Layout:
    """Bytes: the length of an image and where its relocation table begins; 0 and 0 of no image."""

    length: int
    reloc_start: int


class _Learned:
    """Places of the base and how far each has moved."""

    def __init__(self) -> None:
        self.entries: list[tuple[int, int]] = []
        self.oldest = 0

    def learn(self, place: int, distance: int) -> None:
        for number, (known, _) in enumerate(self.entries):
            if known == place:
                self.entries[number] = (place, distance)
                return
        if len(self.entries) < LEARNED_MAX:
            self.entries.append((place, distance))
            return
        self.entries[self.oldest] = (place, distance)
        self.oldest = (self.oldest + 1) % LEARNED_MAX

    def nearest(self, place: int) -> tuple[int, int]:
        """(gap, distance)"""
        best = (U32, 0)
        for known, distance in self.entries:
            gap = min(place - known & U32, 2 * (known - place) & U32)
            if gap < best[0]:
                best = (gap, distance)
        return best


class Map:
    """Section 6.2: the segments, and what was learned besides."""

    def __init__(self, segments: list[Segment], base: Layout, target: Layout) -> None:
        self.segments = segments
        self._base, self._target = base, target
        self._places, self._variables = _Learned(), _Learned()

    def learn(self, place: int, now: int) -> None:
        """That `place` of the base is `now` in the target."""
        if place < RAM_START and place >= self._base.reloc_start:
            return
        learned = self._variables if place >= RAM_START else self._places
        learned.learn(place & ~1, now - place & U32)

    def moved(self, place: int) -> tuple[int, int]:
        """(where `place` of the base is in the target, confidence)"""
        is_variable = place >= RAM_START
        if not is_variable and place >= self._base.reloc_start:
            is_end = self._base.length > 0 and place == self._base.length - 4
            return (self._target.length - 4 & U32 if is_end else place), FAR
        even = place & ~1
        learned_gap, learned_distance = (self._variables if is_variable else self._places).nearest(even)
        gap, distance = U32, 0
        if not is_variable and learned_gap:
            gap, distance = self._nearest_segment(even)
        if learned_gap == 0:
            confidence = LEARNED
        elif gap == 0:
            confidence = COVERED
        else:
            confidence = NEAR if learned_gap < gap or gap < 64 else FAR
        return place + (learned_distance if learned_gap < gap else distance) & U32, confidence

    def _nearest_segment(self, place: int) -> tuple[int, int]:
        """(gap, distance)"""
        best = (U32, 0)
        for segment in self.segments:
            end = segment.source + segment.length
            is_inside = segment.source <= place < end
            gap = 0 if is_inside else min(segment.source - place & U32, place - end + 1 & U32)
            if gap < best[0]:
                best = (gap, segment.target - segment.source & U32)
        return best
