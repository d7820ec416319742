# SPDX-License-Identifier: Apache-2.0
"""A second decoder, written from docs/spec/patch.md and from nothing else: slow, whole patches only, nothing shared.

This file has the order of things, gaps and copies (sections 3, 6, 8.2 and 9); reference_*.py beside it have the rest.
"""

from __future__ import annotations

import hashlib
import zlib

from tests.muster.delta import reference_model as model
from tests.muster.delta.reference_header import (
    IMAGE,
    RAW,
    Manifest,
    NotInForm,
    identity_of,
    manifest_bytes,
    read_header,
)
from tests.muster.delta.reference_model import U32, Refused, bit_of, refuse_range
from tests.muster.delta.reference_places import Form, Map, Segment, as_signed, named_by, naming, short_form
from tests.muster.delta.reference_table import TableReader, relocated_words
from tests.muster.delta.reference_units import LOAD, ODD, PLAIN, POINTER, SHORT, VARIABLE, Copy, Unit, UnitReader

_MAP_MAX = 96
_CHUNK_LEN = 8192
_LEARN_LEN_MIN = 32
_NO_CALL = 0xF800_F000
"""Stands for a call that cannot name its place."""


class _Decoder:
    def __init__(self, base: bytes, patch: bytes) -> None:
        self.header = header = read_header(base, patch)
        self.base = base if header.has_base else b""
        self.coder = model.RangeDecoder(patch, header.size)
        self.model = model.Model(self.coder, header.profile)
        self.base_body = self.base[: header.base.reloc_start] + self.base[header.ext_start(header.base) :]
        self.body_len = header.target.length - (header.ext_start(header.target) - header.target.reloc_start)
        self.body = bytearray()
        self.pointers: set[int] = set()
        self.shifts = [0] * 4
        self.last_op = self.literal_len = 0
        self.hit_history = self.hit_run = self.chunks = 0
        self.key_history, self.key_difference = [0] * model.KEYS, [0] * model.KEYS

    def decode(self) -> bytes:
        header = self.header
        segments = self._segments()
        self.map = Map(segments, header.base, header.target)
        table, reloc_start = b"", header.target.reloc_start
        if header.kind == IMAGE:
            base_words = relocated_words(self.base, header.base) if header.has_base else []
            table_len = header.ext_start(header.target) - reloc_start
            words, table = TableReader(self.model, base_words, segments, reloc_start).read(table_len)
            self.pointers = set(words)
        self.units = UnitReader(header, self.model, self.map, (self.base_body, self.body), self.pointers)
        self.shifts = [0] * 4
        self._make_body(segments)
        target = self.body[:reloc_start] + table + self.body[reloc_start:]
        try:
            self._set_derived_fields(target)
            identity = identity_of(bytes(target), self.header.kind)
        except NotInForm:
            raise Refused("OTA_ERR_IDENTITY") from None
        if identity[:4] != self.header.target_check:
            raise Refused("OTA_ERR_IDENTITY")
        if not self.coder.is_at_end:
            raise Refused("OTA_ERR_PATCH_TRAILING")
        return bytes(target)

    @property
    def _position(self) -> int:
        return len(self.body)

    # Section 3: derived fields

    def _put(self, raw: bytes) -> None:
        """Of the module end, the derived bytes are put instead."""
        header = self.header
        module_end = (header.load_base + header.target.length - 4 & U32).to_bytes(4, "little")
        for byte in raw:
            at = self._position - header.prefix_at - 4
            self.body.append(module_end[at] if header.kind != RAW and 0 <= at < 4 else byte)
        # a halfword may reach one byte beyond an odd body
        del self.body[self.body_len :]

    def _set_derived_fields(self, target: bytearray) -> None:
        """Those that are known at the end. Raises NotInForm."""
        if self.header.kind == RAW:
            return
        if self.header.kind == IMAGE:
            self._set_derived_image_fields(target)
        end = len(target)
        target[end - 38 : end - 6] = hashlib.sha256(target[: end - 38]).digest()
        target[end - 4 :] = zlib.crc32(target[: end - 4]).to_bytes(4, "big")

    def _set_derived_image_fields(self, target: bytearray) -> None:
        end, ext_start = len(target), self.header.ext_start(self.header.target)
        manifest = Manifest.from_bytes(manifest_bytes(bytes(target)))
        at = ext_start + 4 + manifest.body_hash_at
        number_end = at - 3
        for value in (ext_start, self.header.target.reloc_start):
            size = 2 if value < 0x1_0000 else 4
            target[number_end - size : number_end] = value.to_bytes(size, "big")
            number_end -= size + 2
        manifest = Manifest.from_bytes(manifest_bytes(bytes(target)))
        if (manifest.reloc_start, manifest.ext_start) != (self.header.target.reloc_start, ext_start):
            raise NotInForm
        target[at : at + 32] = hashlib.sha256(target[:ext_start]).digest()
        product = manifest.product_id.to_bytes(2, "little") + manifest.product_version.to_bytes(2, "little")
        target[end - 52 : end - 48] = product
        target[end - 44 : end - 40] = product

    # Section 6: map and shifts

    def _segments(self) -> list[Segment]:
        count = self.model.number(model.MAP_COUNT)
        if count > _MAP_MAX:
            raise refuse_range()
        segments: list[Segment] = []
        end = 0
        for number in range(count):
            gap = 2 * self.model.number(model.MAP_GAP)
            room = self.body_len - end
            if gap >= room:
                raise refuse_range()
            to_end = (room - gap) // 2 * 2
            if number == count - 1 and self.model.decide(model.TO_END):
                length = to_end
            else:
                length = 2 + 2 * self.model.number(model.MAP_LEN)
            if length > to_end or length == 0:
                raise refuse_range()
            target = end + gap
            source = target + self._shift(target, gap, is_copy=False) & U32
            if source >= len(self.base_body) or length > len(self.base_body) - source:
                raise refuse_range()
            segments.append(Segment(source, target, length))
            end = target + length
        return segments

    def _shift(self, target: int, between: int, *, is_copy: bool) -> int:
        """The source less the target, modulo 2^32."""
        counters = model.SHIFT_OF_COPY if is_copy else model.SHIFT_OF_SEGMENT
        after_gap = 1 if between else 0
        shifts, decide = self.shifts, self.model.decide
        if decide(counters + after_gap):
            return shifts[0]
        for number in (1, 2, 3):
            if decide(counters + 1 + number):
                shifts.insert(0, shifts.pop(number))
                return shifts[0]
        if self.base_body and decide(counters + 5 + after_gap):
            near = shifts[0] - between
            if after_gap and decide(counters + 7):
                return self._new_shift(near)
            odd = decide(counters + 8 + after_gap)
            kind = model.SKIP_AFTER_LITERALS if after_gap else model.SKIP_AFTER_COPY
            return self._new_shift(near + 2 * self.model.signed(kind) + odd)
        odd = decide(counters + 10)
        return self._new_shift(len(self.base_body) - (2 * self.model.number(model.DISTANCE) + odd))

    def _new_shift(self, shift: int) -> int:
        self.shifts = [shift & U32, *self.shifts[:3]]
        return self.shifts[0]

    # Section 9: gaps

    def _make_body(self, segments: list[Segment]) -> None:
        for segment in segments:
            shift = segment.source - segment.target & U32
            while self._position < segment.target:
                self._operation(segment.target)
            self.literal_len = 0
            self._new_shift(shift)
            self._copy(Copy(segment.source, True, segment.target, segment.target + segment.length))
        while self._position < self.body_len:
            self._operation(self.body_len)

    def _operation(self, end: int) -> None:
        at, room = self._position, end - self._position
        since = 0 if self.literal_len == 0 else 1 if self.literal_len <= 4 else 2
        counter = model.OP + ((2 * since + self.last_op) * 3 + self.model.half) * 2 + bit_of(at, 1)
        if room >= 2 and self.model.decide(counter):
            self.last_op = 1
            self._coded_copy(room)
        else:
            self.last_op = 0
            self._literal(room)

    def _coded_copy(self, room: int) -> None:
        at, base_len = self._position, len(self.base_body)
        length = 2 + 2 * self.model.number(model.COPY_LEN)
        if length > room:
            raise refuse_range()
        source = at + self._shift(at, self.literal_len, is_copy=True) & U32
        is_from_base = source < base_len
        if length > base_len - source if is_from_base else source - base_len >= at:
            raise refuse_range()
        if is_from_base and length >= _LEARN_LEN_MIN:
            self.map.learn(source, at)
        self.literal_len = 0
        self._copy(Copy(source if is_from_base else source - base_len, is_from_base, at, at + length))

    def _literal(self, room: int) -> None:
        at = self._position
        if at in self.pointers and room >= 4:
            self._literal_pointer()
            return
        allows_call = self.model.half != model.FIRST and room >= 4 and at + 2 not in self.pointers
        value = self.model.halfword(allows_call=allows_call)
        if value is not None:
            self._make(value, 2)
            self.literal_len += 2
            return
        called = naming(Form.BL, _NO_CALL, at, self.model.place(at + 4, None))
        self._make(_NO_CALL if called is None else called, 4)
        self.literal_len += 4

    def _literal_pointer(self) -> None:
        if self.model.decide(model.INSIDE_POINTER):
            place = self.model.place(self.model.recent_places[0], None)
            word = self.header.load_base + (place | self.model.decide(model.CODE_POINTER)) & U32
        else:
            word = self._two_halfwords(None)
        self._make(word, 4)
        self.literal_len += 4

    def _two_halfwords(self, predicted: int | None) -> int:
        """A word, its low half first."""
        halves = (None, None) if predicted is None else (predicted & 0xFFFF, predicted >> 16)
        low, high = self.model.halfword(halves[0]), self.model.halfword(halves[1])
        assert low is not None
        assert high is not None
        return high << 16 | low

    def _make(self, value: int, size: int) -> None:
        self._put(value.to_bytes(size, "little"))
        if size == 4:
            self.model.note_word(value)
        else:
            self.model.note_halfword(value)

    # Section 8: copies

    def _copy(self, copy: Copy) -> None:
        chunk_end, is_clean = copy.start, False
        while self._position < copy.end:
            if self._position >= chunk_end:
                length = min(copy.end - self._position, _CHUNK_LEN)
                size = 0 if length < 16 else 1 if length < 64 else 2 if length < _CHUNK_LEN else 3
                is_clean = self.model.decide(model.CHUNK + 4 * size + self.chunks) == 1
                self.chunks = (2 * self.chunks + (0 if is_clean else 1)) % 4
                chunk_end = self._position + length
            unit = self.units.unit(copy)
            if is_clean:
                self._make(unit.predicted, unit.size)
            else:
                self._make(self._decoded(unit), unit.size)

    # Section 8.2: units that are not in a clean chunk

    def _decoded(self, unit: Unit) -> int:
        key = self._key(unit)
        if self._is_hit(unit, key):
            return unit.predicted
        if unit.predicted != unit.raw:
            counter = model.UNCHANGED + 4 * (unit.class_ % 8) + unit.confidence
            if self.model.decide(counter):
                if unit.kind in (POINTER, VARIABLE) and unit.is_from_base:
                    self.map.learn(unit.named, unit.named)
                return unit.raw
        return self._decoded_word(unit) if unit.size == 4 else self._decoded_halfword(unit, key)

    def _key(self, unit: Unit) -> int:
        half = model.KEYS // 2
        return half + (unit.before >> 4) % half if unit.before >= 0xE800 else (unit.predicted >> 11) % half

    def _is_hit(self, unit: Unit, key: int) -> bool:
        run = min(self.hit_run.bit_length(), 7)
        if unit.is_reference:
            recent = (2 * unit.confidence + bit_of(self.hit_history, 0)) % 8
            keyed = 2 * unit.confidence + (1 if run > 4 else 0)
        else:
            recent, keyed = self.hit_history % 8, self.key_history[key] % 8
        counters = (
            model.HIT_RECENT + 8 * unit.class_ + recent,
            model.HIT_RUN + 8 * unit.class_ + run,
            model.HIT_KEY + 16 * keyed + unit.class_,
        )
        known = unit.predicted >> 8 if unit.class_ == PLAIN else 256 + 4 * unit.class_ + unit.confidence
        hit = self.model.hit(unit.class_, counters, known)
        self.hit_history = (2 * self.hit_history + 1 - hit) % 256
        self.hit_run = self.hit_run + 1 if hit else 0
        if unit.size == 2:
            self.key_history[key] = (2 * self.key_history[key] + 1 - hit) % 256
        return hit == 1

    def _decoded_word(self, unit: Unit) -> int:
        if unit.kind == LOAD or not self.model.decide(model.OTHER_PLACE + unit.class_):
            return self._two_halfwords(unit.predicted)
        expected = self.units.named(unit.class_, unit.form, unit.predicted, unit.to)
        if unit.kind == VARIABLE:
            place = expected + 2 * self.model.signed(model.VARIABLE) & U32
        else:
            odd = expected & 1 if unit.form is None else 0
            is_far = (expected + 0x1F_FFFF & U32) > 0x3F_FFFE
            near = self.model.recent_places[0] if is_far else expected - odd
            place = odd + self.model.place(near, unit.named & ~1 if unit.is_from_base else None) & U32
        if unit.is_from_base:
            self.map.learn(unit.named, place)
        made = self.units.reference(unit.class_, unit.form, unit.raw, unit.to, place)
        return unit.predicted if made is None else made

    def _decoded_halfword(self, unit: Unit, key: int) -> int:
        value = self._repeated(unit, key) if unit.class_ != ODD else None
        if value is None:
            value = self.model.halfword(unit.predicted)
            assert value is not None
        is_reference = unit.kind in (SHORT, LOAD) and unit.is_from_base
        if is_reference and unit.form is not None and short_form(value) is unit.form:
            self.map.learn(unit.named, named_by(unit.form, value, unit.to))
        self.model.note_substitution(unit.predicted, value)
        self.key_difference[key] = as_signed(value - unit.predicted, 8)
        return value

    def _repeated(self, unit: Unit, key: int) -> int | None:
        """What the last such unit was changed to, or changed by, if this one is again."""
        candidate = self.model.substitution_of(unit.predicted)
        is_substitution = candidate is not None
        if candidate is None:
            if self.key_difference[key] == 0:
                return None
            candidate = unit.predicted + self.key_difference[key] & 0xFFFF
        counter = model.REPEATED + (0 if is_substitution else 4) + (2 if key >= model.KEYS // 2 else 0)
        return candidate if self.model.decide(counter + bit_of(self.key_history[key], 1)) else None


def decode(base: bytes, patch: bytes) -> bytes:
    """The target. Raises Refused."""
    return _Decoder(base, patch).decode()


def outcome(base: bytes, patch: bytes) -> bytes | str:
    """The target, or the name of the status that says why there is none."""
    try:
        return decode(base, patch)
    except Refused as refused:
        return refused.status
