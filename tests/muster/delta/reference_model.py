# SPDX-License-Identifier: Apache-2.0
"""The range coder and the model of docs/spec/patch.md, sections 4 and 5, as plain as the page."""

from __future__ import annotations

from typing import Any

from tests.vectors.reading import cases

U32 = 0xFFFF_FFFF
SEEN_BIT, SEEN_MIXED = 12, 9
WEIGHT_RATE = 12
ORDER1 = {1: 256, 2: 4096}
"""Hashed counters, by profile."""

PLACES = 12
KEYS = 32
WHOLE, FIRST, SECOND = range(3)
"""Of a halfword: an instruction of its own, or half of a longer one."""

(
    MAP_COUNT,
    MAP_GAP,
    MAP_LEN,
    COPY_LEN,
    SKIP_AFTER_COPY,
    SKIP_AFTER_LITERALS,
    DISTANCE,
    PLACE,
    VARIABLE,
    RELOC_GAP,
    RELOC_RUN,
) = range(11)
"""Kinds of numbers."""

HIT_RECENT, HIT_RUN, HIT_KEY, REPEATED, UNCHANGED, OTHER_PLACE = 0, 128, 256, 384, 392, 424
CHUNK, SAME_DISTANCE, WHICH_DISTANCE, SAME_PLACE, WHICH_PLACE, TO_END = 434, 450, 451, 454, 455, 466
SHIFT_OF_COPY, SHIFT_OF_SEGMENT, TABLE_ALL, NUMBER = 467, 478, 489, 491
OP, CODE_POINTER, INSIDE_POINTER, CALL, GUESS, HASHED = 623, 659, 660, 661, 669, 717
"""Where each row of counters begins."""

BYTE_SETS = 16
"""Sets of weights before those of bytes."""

TABLES: dict[str, Any] = {case["name"]: case["values"] for case in cases("patch/tables.json")}


class Refused(Exception):
    """The patch is not valid. `status`: the name that section 11 of the page gives the reason."""

    def __init__(self, status: str) -> None:
        super().__init__(status)
        self.status = status


def refuse_range() -> Refused:
    return Refused("OTA_ERR_PATCH_RANGE")


def bit_of(value: int, number: int) -> int:
    return value >> number & 1


class RangeDecoder:
    """Section 4. Up to four bytes behind the stream's end are 0."""

    def __init__(self, patch: bytes, at: int) -> None:
        self._patch, self._at = patch, at
        self._size, self._code = U32, 0
        for _ in range(4):
            self._code = self._code << 8 | self._byte()

    @property
    def is_at_end(self) -> bool:
        """Whether no byte of the patch is left."""
        return self._at >= len(self._patch)

    def bit(self, chance: int) -> int:
        """A decision that is 1 with `chance` of 65,536."""
        zero = (self._size >> 16) * (65536 - chance)
        bit = 1 if self._code >= zero else 0
        if bit:
            self._code -= zero
            self._size -= zero
        else:
            self._size = zero
        while self._size < 1 << 24:
            self._size <<= 8
            self._code = self._code << 8 & U32 | self._byte()
        return bit

    def even(self, count: int) -> int:
        """A number of `count` bits, each as likely 0 as 1."""
        value = 0
        for _ in range(count):
            value = value * 2 + self.bit(32768)
        return value

    def _byte(self) -> int:
        at = self._at
        self._at += 1
        if at < len(self._patch):
            return self._patch[at]
        if at < len(self._patch) + 4:
            return 0
        raise Refused("OTA_ERR_PATCH_TRUNCATED")


def squash(value: int) -> int:
    """From 256ths of the logistic domain to a chance of 65,536."""
    return int(TABLES["squashes"][max(-2048, min(value, 2047)) + 2048 >> 3])


def stretch(chance: int) -> int:
    """From a counter's chance of 4,096 to 16ths of the logistic domain."""
    return int(TABLES["stretches"][chance >> 1])


class Model:
    """Section 5: the counters and weights, and what the model remembers of the halfwords before."""

    def __init__(self, coder: RangeDecoder, profile: int) -> None:
        self.coder = coder
        initials = TABLES["initials"]
        self.hashed_count = ORDER1[profile]
        self._chances = [squash(64 * (value >> 2) - 2016) >> 4 for value in initials] + [2048] * self.hashed_count
        self._seen = [3 * (value % 4) for value in initials] + [0] * self.hashed_count
        self._weights = [[256 * entry for entry in row] for row in TABLES["weights"]]
        self.last = self.before_last = 0
        self.half = WHOLE
        self._substitutions = [(0, 0)] * 16
        self.recent_places = [0] * PLACES
        self.recent_distances = [0] * 4

    # Sections 5.1 to 5.3: decisions and numbers

    def decide(self, counter: int) -> int:
        bit = self.coder.bit(16 * self._chances[counter] + 8)
        self._move(counter, bit, SEEN_BIT)
        return bit

    def decide_one_of(self, counters: int, count: int) -> int:
        """How many of `count` decisions with rising counters are 1 before the first 0."""
        number = 0
        while number < count and self.decide(counters + number):
            number += 1
        return number

    def _move(self, counter: int, bit: int, limit: int) -> None:
        rate = TABLES["rates"][self._seen[counter]] - 4
        if self._seen[counter] < limit:
            self._seen[counter] += 1
        chance = self._chances[counter]
        self._chances[counter] += (4095 - chance >> rate) if bit else -(chance >> rate)

    def _mixed(self, weights: list[int], counters: tuple[int, ...], entries: tuple[int, ...]) -> int:
        """Section 5.2. The inputs are the counters and then the entries of tables."""
        inputs = [stretch(self._chances[counter]) for counter in counters]
        inputs += entries
        total = 0
        for weight, value in zip(weights, inputs, strict=True):
            total += weight * value
        chance = squash(total >> 10)
        bit = self.coder.bit(chance)
        error = 65536 * bit - chance
        for number, value in enumerate(inputs):
            moved = weights[number] + (value * error >> WEIGHT_RATE)
            weights[number] = max(-32768, min(moved, 32767))
        for counter in counters:
            self._move(counter, bit, SEEN_MIXED)
        return bit

    def hit(self, unit_class: int, counters: tuple[int, int, int], known: int) -> int:
        """Whether a unit is as predicted: section 8.2."""
        return self._mixed(self._weights[unit_class], counters, (TABLES["known_hits"][known],))

    def number(self, kind: int) -> int:
        bits = 0
        while bits < 22 and self.decide(NUMBER + 12 * kind + min(bits, 11)):
            bits += 1
        return (1 << bits | self.coder.even(bits)) - 1

    def signed(self, kind: int) -> int:
        number = self.number(kind)
        return -(number + 1 >> 1) if number % 2 else number >> 1

    # Section 5.4: halfwords

    def halfword(self, predicted: int | None = None, *, allows_call: bool = False) -> int | None:
        """A halfword, low byte and all. None: a call stands there, which is all that was decoded.

        `predicted` is what a copy says.
        """
        live = 0 if predicted is None else 1
        expected = predicted or 0
        second = 1 if self.half == FIRST else 0
        near, wide = self._contexts()
        high = self._byte(2 * second, near, wide, (live, expected >> 8), expected >> 8 >> 3, allows_call)
        if high is None:
            return None
        if high != expected >> 8:
            live = 0
        wide = self.last >> 4 & 255 if second else (high & 0xF8) + self._register()
        low = self._byte(2 * second + 1, high, wide, (live, expected & 255), high >> 3)
        assert low is not None
        value = high << 8 | low
        if predicted is not None:
            self.note_substitution(predicted, value)
        return value

    def _contexts(self) -> tuple[int, int]:
        """(near, wide) of a high byte."""
        high = self.last >> 8
        return high, self.last >> 4 & 255 if self.half == FIRST else (high & 0xF8) + self._register()

    def _register(self) -> int:
        """What the last instruction writes."""
        high, low = self.last >> 8, self.last & 255
        if self.half == SECOND:
            return (high >> 4 if self.before_last >> 8 >= 0xF8 else high) & 7
        in_high = high & 0xE0 == 0x20 or high & 0xF8 == 0x48 or high & 0xE0 == 0xA0 or high & 0xF0 == 0x90
        return (high if in_high else low) & 7

    def _byte(
        self, k: int, near: int, wide: int, guess: tuple[int, int], high_bits: int, allows_call: bool = False
    ) -> int | None:
        """`guess`: whether there is one (0 or 1), and the byte. `high_bits`: of the high byte, or its prediction's."""
        live, guessed = guess
        node = 1
        for shift in range(7, -1, -1):
            if allows_call and shift == 2 and node == 0b1_11110 and self.decide(CALL + (self.last >> 13)):
                return None
            guessed_bit = bit_of(guessed, shift)
            state = 1 + guessed_bit if live else 0
            if live:
                wide_entry = TABLES["known_bits"][k & 1][guessed_bit][shift][high_bits]
            else:
                wide_entry = self._table_entry(2 * k + 1, wide, shift, node)
            hashed = ((near << 2 | k) << 8 | node) * 0x9E37_79B1 & U32
            counters = (HASHED + (hashed * self.hashed_count >> 32), GUESS + (state * 2 + (k & 1)) * 8 + shift)
            entries = (self._table_entry(2 * k, near, shift, node), wide_entry)
            bit = self._mixed(self._weights[BYTE_SETS + 2 * k + live], counters, entries)
            node = 2 * node + bit
            if bit != guessed_bit:
                live = 0
        return node & 255

    @staticmethod
    def _table_entry(number: int, context: int, shift: int, node: int) -> int:
        table = TABLES["byte_tables"][number]
        group = table["groups"][context]
        if shift >= 4:
            return int(table["upper"][group][node])
        upper_bits = node >> 3 - shift & 15
        below = node % (1 << 3 - shift) + (1 << 3 - shift)
        return int(table["lower"][table["lower_groups"][16 * group + upper_bits]][below])

    # Section 5.5: what the model remembers

    def note_halfword(self, value: int) -> None:
        if self.half != FIRST and value >= 0xE800:
            self.half = FIRST
        else:
            self.half = SECOND if self.half == FIRST else WHOLE
        self.before_last, self.last = self.last, value

    def note_word(self, value: int) -> None:
        self.half = SECOND
        self.before_last, self.last = value & 0xFFFF, value >> 16

    def note_substitution(self, value: int, by: int) -> None:
        self._substitutions[self._substitution_at(value)] = (value, by)

    def substitution_of(self, value: int) -> int | None:
        noted, by = self._substitutions[self._substitution_at(value)]
        return by if noted == value and by else None

    @staticmethod
    def _substitution_at(value: int) -> int:
        return (value * 0x9E37_79B1 & U32) >> 28

    # Section 8.2: places

    def place(self, expected: int, named: int | None) -> int:
        """A place that was named lately, or one near `expected`. `named`: the place that it stands for in the base."""
        places, distances = self.recent_places, self.recent_distances
        if named is not None and self.decide(SAME_DISTANCE):
            which = self.decide_one_of(WHICH_DISTANCE, 3)
            distances.insert(0, distances.pop(which))
            places.insert(0, named + distances[0] & U32)
            places.pop()
            return places[0]
        if self.decide(SAME_PLACE):
            places.insert(0, places.pop(self.decide_one_of(WHICH_PLACE, PLACES - 1)))
        else:
            places.insert(0, expected + 2 * self.signed(PLACE) & U32)
            places.pop()
        if named is not None:
            distances.insert(0, places[0] - named & U32)
            distances.pop()
        return places[0]
