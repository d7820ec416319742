# SPDX-License-Identifier: Apache-2.0
"""Relocation tables: how a patch says them (docs/spec/patch.md, section 7), and their form (docs/spec/image.md)."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass

from tests.muster.delta.reference_header import TAIL_LEN
from tests.muster.delta.reference_model import RELOC_GAP, RELOC_RUN, TABLE_ALL, U32, Model, Refused, refuse_range
from tests.muster.delta.reference_places import Layout, Segment

_BLOCK_LEN = 4096
_BEGIN_MAX = 65_535


def relocated_words(image: bytes, layout: Layout) -> list[int]:
    """Offsets, rising. Raises Refused."""
    refused = Refused("OTA_ERR_RELOC")
    table = image[layout.reloc_start : layout.length - TAIL_LEN]
    count = -(-layout.reloc_start // _BLOCK_LEN)
    first_list = 2 + 2 * count
    if len(table) < first_list or len(table) > 65_535:
        raise refused
    head = [int.from_bytes(table[2 * number : 2 * number + 2], "little") for number in range(count + 1)]
    begins, at = head[1:], first_list
    if head[0] != count or begins[0] != first_list:
        raise refused
    words = []
    for block, begin in enumerate(begins):
        is_last = block == count - 1
        end = len(table) if is_last else begins[block + 1]
        if begin != at or not begin <= end <= len(table):
            raise refused
        word = block * _BLOCK_LEN - 4
        while at < end and (table[at] or not is_last):
            gap, size = _table_gap(table[at:end])
            at += size
            word += 4 * gap
            if not 1 <= gap <= 1024 or word >= (block + 1) * _BLOCK_LEN or word + 4 > layout.reloc_start:
                raise refused
            words.append(word)
    if len(table) - at > 3 or any(table[at:]):
        raise refused
    return words


def _table_gap(raw: bytes) -> tuple[int, int]:
    """(gap, bytes)"""
    if raw[0] < 0x80:
        return raw[0], 1
    if len(raw) < 2 or not 0 < raw[1] < 0x80:
        raise Refused("OTA_ERR_RELOC")
    return raw[0] & 0x7F | raw[1] << 7, 2


class _Lists:
    """A table that is being made: `begins` has the places of the lists that have begun, from the table's begin."""

    def __init__(self, reloc_start: int, table_len: int) -> None:
        self._count = -(-reloc_start // _BLOCK_LEN)
        self._table_len = table_len
        self._begins: list[int] = []
        self._lists = bytearray()
        self._before = 0

    def put(self, word: int) -> None:
        """Raises Refused when it does not fit."""
        self._begin_lists(word // _BLOCK_LEN + 1)
        gap = (word - self._before) // 4
        self._before = word
        self._lists += bytes([gap]) if gap < 0x80 else bytes([gap & 0x7F | 0x80, gap >> 7])
        if self._len > self._table_len:
            raise refuse_range()

    def whole(self) -> bytes:
        """Raises Refused when head and lists do not fill the table."""
        self._begin_lists(self._count)
        if not 0 <= self._table_len - self._len <= 3:
            raise refuse_range()
        head = b"".join(number.to_bytes(2, "little") for number in [self._count, *self._begins])
        return head + self._lists + bytes(self._table_len - self._len)

    @property
    def _len(self) -> int:
        return 2 + 2 * self._count + len(self._lists)

    def _begin_lists(self, count: int) -> None:
        while len(self._begins) < count:
            if self._len > _BEGIN_MAX:
                raise refuse_range()
            self._before = len(self._begins) * _BLOCK_LEN - 4
            self._begins.append(self._len)


@dataclass(frozen=True, slots=True)
class _Region:
    """Part of the target between or in segments; `source` is None between them."""

    end: int
    source: int | None = None
    distance: int = 0


def _regions(segments: list[Segment]) -> Iterator[_Region]:
    """In the target's order; the last has no end."""
    for segment in segments:
        yield _Region(segment.target)
        yield _Region(segment.target + segment.length, segment.source, segment.target - segment.source & U32)
    yield _Region(U32 + 1)


class TableReader:
    """Section 7: the target's relocated words, predicted from the base's."""

    def __init__(self, model: Model, base_words: list[int], segments: list[Segment], reloc_start: int) -> None:
        self._model = model
        self._base_words = base_words
        self._reloc_start = reloc_start
        self._regions = _regions(segments)
        self._region = next(self._regions)
        self._from = self._distance = self._next = 0

    def read(self, table_len: int) -> tuple[list[int], bytes]:
        """(relocated words, table of `table_len` bytes). Raises Refused."""
        words: list[int] = []
        lists = _Lists(self._reloc_start, table_len)
        run, is_all, gaps = -1, False, 0
        while True:
            predicted = self._predicted()
            if run < 0 and not is_all:
                is_all = self._model.decide(TABLE_ALL + gaps) == 1
                run = -1 if is_all else self._model.number(RELOC_RUN)
            if is_all and predicted is None:
                break
            if predicted is not None and (is_all or run > 0):
                self._take()
                word: int | None = predicted
                run -= 1
            else:
                run, gaps = -1, 1
                word = self._behind_gap(predicted)
            if word is None:
                break
            lists.put(word)
            words.append(word)
            self._next = word + 4
        return words, lists.whole()

    def _predicted(self) -> int | None:
        """The next word as the map has it; None where the base has no more."""
        while True:
            number = bisect_left(self._base_words, self._from)
            if number < len(self._base_words):
                place = self._base_words[number] + self._distance & U32
                if place < self._region.end:
                    if place >= self._next and place % 4 == 0 and place < self._reloc_start:
                        return place
                    self._take()
                    continue
            following = next(self._regions, None)
            if following is None:
                return None
            self._region = following
            if following.source is not None:
                self._from, self._distance = following.source, following.distance

    def _take(self) -> None:
        """Goes on behind the base's word that was looked at."""
        self._from = self._base_words[bisect_left(self._base_words, self._from)] + 4

    def _behind_gap(self, predicted: int | None) -> int | None:
        """A word that is not as predicted; None where the table ends."""
        gap = self._model.number(RELOC_GAP)
        if gap == 0:
            return None
        if gap - 1 >= (self._reloc_start - self._next) // 4:
            raise refuse_range()
        word = self._next + 4 * (gap - 1)
        if predicted is not None and self._region.source is None:
            self._distance = self._distance + word - predicted & U32
            self._take()
        return word
