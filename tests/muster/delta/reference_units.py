# SPDX-License-Identifier: Apache-2.0
"""Units of copies and what is predicted of them: docs/spec/patch.md, sections 8 and 8.1."""

from __future__ import annotations

from dataclasses import dataclass

from tests.muster.delta.reference_header import IMAGE, Header
from tests.muster.delta.reference_model import U32, Model
from tests.muster.delta.reference_places import (
    COVERED,
    FAR,
    LEARNED,
    Form,
    Map,
    long_form,
    named_by,
    naming,
    short_form,
)

_RAM_START, _RAM_LEN = 0x2000_0000, 0x2_0000
PLAIN, SUBSTITUTED, CALL, BRANCH, POINTER, VARIABLE, SHORT, LOAD, ODD = 0, 1, 2, 4, 6, 8, 10, 12, 14
"""Classes of units; of those between SUBSTITUTED and ODD, 1 more where the prediction is not the source."""


@dataclass(frozen=True, slots=True)
class Copy:
    """From `source` in the body of base or target to [start, end) of the target's body."""

    source: int
    is_from_base: bool
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Unit:
    """What stands at `at` of the source's body, as its copy to `to` would have it."""

    at: int
    to: int
    is_from_base: bool
    before: int
    """The halfword before it."""
    form: Form | None
    size: int
    class_: int
    raw: int
    predicted: int
    named: int
    confidence: int

    @property
    def kind(self) -> int:
        """The class, whether its prediction is the source or not."""
        return self.class_ & ~1 if self.is_reference else self.class_

    @property
    def is_reference(self) -> bool:
        return CALL <= self.class_ < ODD


class UnitReader:
    """Finds units in the bodies of base and target. `pointers`: offsets of the target's relocated words."""

    def __init__(self, header: Header, model: Model, where: Map, bodies: tuple[bytes, bytearray], pointers: set[int]):
        self._header, self._model, self._map, self._pointers = header, model, where, pointers
        self._base_body, self._body = bodies

    def unit(self, copy: Copy) -> Unit:
        """The one that stands where the target's body ends."""
        to = len(self._body)
        at = copy.source + to - copy.start
        body: bytes | bytearray = self._base_body if copy.is_from_base else self._body
        before, ahead = bytes(body[max(0, at - 4) : at]), bytes(body[at : min(at + 8, len(body))])
        raw2 = int.from_bytes(ahead[:2] if len(ahead) > 1 else 2 * ahead, "little")
        size, class_, form = self._classified(copy, to, at, before, ahead)
        raw = int.from_bytes(ahead[:4], "little") if size == 4 else raw2
        named, predicted, confidence = 0, raw, FAR
        if CALL <= class_ < ODD:
            named = self.named(class_, form, raw, at)
            place, confidence = self._moved(copy, class_, named, to - at)
            made = self.reference(class_, form, raw, to, place)
            predicted = raw if made is None else made
            class_ += 1 if predicted != raw else 0
        halfword = int.from_bytes(before[-2:], "little") if len(before) >= 2 else 0
        return Unit(at, to, copy.is_from_base, halfword, form, size, class_, raw, predicted, named, confidence)

    def _classified(self, copy: Copy, to: int, at: int, before: bytes, ahead: bytes) -> tuple[int, int, Form | None]:
        """(size, class, instruction) of the unit at `at`."""
        if (at ^ to) & 1:
            return 2, ODD, None
        if copy.end - to >= 4 and len(ahead) >= 4 and to + 2 not in self._pointers:
            raw = int.from_bytes(ahead[:4], "little")
            image = self._header.base if copy.is_from_base else self._header.target
            form = long_form(raw)
            if to in self._pointers:
                return 4, POINTER, None
            if form in (Form.BL, Form.B_WIDE) and named_by(form, raw, at) < image.reloc_start:
                return 4, CALL if form is Form.BL else BRANCH, form
            if form is Form.LOAD_WIDE:
                return 4, LOAD, form
            if at % 4 == 0 and to % 4 == 0:
                if self._header.kind != IMAGE and self._looks_like_pointer(raw):
                    return 4, POINTER, None
                if _looks_like_variable(raw) and (not copy.is_from_base or self._is_in_pool(before, ahead)):
                    return 4, VARIABLE, None
        raw = int.from_bytes(ahead[:2] if len(ahead) > 1 else 2 * ahead, "little")
        form = short_form(raw)
        if form is not None:
            return 2, LOAD if form in (Form.LOAD, Form.ADR) else SHORT, form
        return 2, PLAIN if self._model.substitution_of(raw) is None else SUBSTITUTED, None

    def _looks_like_pointer(self, word: int) -> bool:
        load_base, length = self._header.load_base, self._header.base.length
        least = 0x800 if load_base < 0x10000 else 0
        return length > least and (word - load_base - least & U32) < length - least

    def _is_in_pool(self, before: bytes, ahead: bytes) -> bool:
        neighbours = []
        if len(before) == 4:
            neighbours.append(int.from_bytes(before, "little"))
            half = neighbours[0] >> 16
            if half in (0x4770, 0xBF00) or half & 0xFF00 == 0xBD00 or half & 0xF800 == 0xE000:
                return True
        if len(ahead) == 8:
            neighbours.append(int.from_bytes(ahead[4:], "little"))
        return any(self._looks_like_pointer(word) or _looks_like_variable(word) for word in neighbours)

    # Section 8.1: predictions

    def named(self, class_: int, form: Form | None, raw: int, at: int) -> int:
        """The place that a reference at `at` names."""
        if form is not None:
            return named_by(form, raw, at)
        return raw - self._header.load_base & U32 if class_ & ~1 == POINTER else raw

    def reference(self, class_: int, form: Form | None, raw: int, to: int, place: int) -> int | None:
        """The same reference at `to`, to another place."""
        if form is not None:
            return naming(form, raw, to, place)
        return place + self._header.load_base & U32 if class_ & ~1 == POINTER else place

    def _moved(self, copy: Copy, class_: int, named: int, distance: int) -> tuple[int, int]:
        """(where a named place is now, confidence)"""
        if not copy.is_from_base:
            return named, COVERED
        along = named + distance & U32
        if copy.start <= along < copy.end:
            return along, LEARNED
        place, confidence = self._map.moved(named)
        if class_ in (SHORT, LOAD) and confidence == FAR:
            return along, FAR
        return place, confidence


def _looks_like_variable(word: int) -> bool:
    return (word - _RAM_START & U32) < _RAM_LEN
