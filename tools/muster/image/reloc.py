# SPDX-License-Identifier: Apache-2.0
"""The relocation table (docs/spec/image.md section 3): which words hold an address inside the slot."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass

from muster.errors import RelocationError
from muster.layout import RELOC_BLOCK_SIZE, RELOC_TABLE_SIZE_MAX, Slot

_WORDS_PER_BLOCK = RELOC_BLOCK_SIZE // 4


@dataclass(frozen=True, slots=True)
class RelocationTable:
    """A set of relocated words.

    Attributes:
        reloc_start: byte offset of the table itself, a multiple of 4; every word lies wholly below it.
        words: byte offsets of the relocated words, multiples of 4, rising, no two equal.

    Raises:
        RelocationError: the words or their encoding's size break a rule (status ERR_RELOC).
    """

    reloc_start: int
    words: tuple[int, ...]

    def __post_init__(self) -> None:
        if self.reloc_start < 0 or self.reloc_start % 4:
            raise RelocationError("reloc_start is not a multiple of 4")
        previous = -4
        for word in self.words:
            if word % 4:
                raise RelocationError(f"relocated word at 0x{word:X} is not aligned to 4")
            if word <= previous:
                raise RelocationError(f"relocated word at 0x{word:X} is not behind the one at 0x{previous:X}")
            previous = word
        if previous > self.reloc_start - 4:
            raise RelocationError(f"relocated word at 0x{previous:X} is not below the table at 0x{self.reloc_start:X}")
        if self._encoded_size() > RELOC_TABLE_SIZE_MAX:
            raise RelocationError(f"the relocation table is longer than {RELOC_TABLE_SIZE_MAX} bytes")

    @property
    def block_count(self) -> int:
        """Number of 4 KiB blocks below the table."""
        return _block_count(self.reloc_start)

    @classmethod
    def from_words(cls, words: Iterable[int], reloc_start: int) -> RelocationTable:
        """The table of a set of byte offsets, in any order.

        Raises:
            RelocationError: a word is unaligned or not below `reloc_start`, or the table would be too long.
        """
        return cls(reloc_start, tuple(sorted(set(words))))

    @classmethod
    def from_bytes(cls, raw: bytes, reloc_start: int) -> RelocationTable:
        """Parses a whole table, padding included: the bytes `[reloc_start, ext_start)` of an image.

        Raises:
            RelocationError: anything but the one accepted encoding (status ERR_RELOC).
        """
        block_count = _block_count(reloc_start)
        lists_at = 2 + 2 * block_count
        if not lists_at <= len(raw) <= RELOC_TABLE_SIZE_MAX:
            raise RelocationError(f"a relocation table of {len(raw)} bytes for {block_count} blocks")
        if int.from_bytes(raw[:2], "little") != block_count:
            raise RelocationError(f"the table counts {int.from_bytes(raw[:2], 'little')} blocks, not {block_count}")
        begins = struct.unpack_from(f"<{block_count}H", raw, 2)
        if begins and begins[0] != lists_at:
            raise RelocationError(f"the first list begins at {begins[0]}, not at {lists_at}")
        words: list[int] = []
        end = lists_at
        for block, begin in enumerate(begins):
            is_last = block + 1 == block_count
            limit = len(raw) if is_last else begins[block + 1]
            if not begin <= limit <= len(raw):
                raise RelocationError(f"the list of block {block} begins at {begin} and ends at {limit}")
            end = _parse_list(raw, begin, limit, block, reloc_start, words, is_last)
        padding = raw[end:]
        if len(padding) != -end % 4 or any(padding):
            raise RelocationError("the table's padding is not the zero bytes up to a multiple of 4")
        return cls(reloc_start, tuple(words))

    def to_bytes(self) -> bytes:
        """The one accepted encoding, padded to a multiple of 4."""
        lists = self._lists()
        at = 2 + 2 * len(lists)
        begins = []
        for gaps in lists:
            begins.append(at)
            at += len(gaps)
        head = struct.pack(f"<H{len(begins)}H", len(begins), *begins)
        table = head + b"".join(lists)
        return table + bytes(-len(table) % 4)

    def apply(self, body: bytes, slot: Slot) -> bytes:
        """Raises each relocated word of a canonical `body` by the slot's offset; bytes outside them stay.

        `body` begins at the image's first byte and reaches at least to `reloc_start`.
        """
        return self._shifted(body, slot.offset)

    def undo(self, body: bytes, slot: Slot) -> bytes:
        """Lowers each relocated word of an installed `body` again: the inverse of `apply`."""
        return self._shifted(body, -slot.offset)

    def _shifted(self, body: bytes, offset: int) -> bytes:
        if len(body) < self.reloc_start:
            raise RelocationError(f"{len(body)} bytes do not reach the table at {self.reloc_start}")
        if offset == 0:
            return body
        out = bytearray(body)
        for at in self.words:
            word = int.from_bytes(out[at : at + 4], "little")
            out[at : at + 4] = ((word + offset) & 0xFFFF_FFFF).to_bytes(4, "little")
        return bytes(out)

    def _lists(self) -> list[bytes]:
        lists = [bytearray() for _ in range(self.block_count)]
        previous = -1
        for offset in self.words:
            block, number = divmod(offset // 4, _WORDS_PER_BLOCK)
            if previous // _WORDS_PER_BLOCK != block or previous < 0:
                previous = block * _WORDS_PER_BLOCK - 1
            gap = block * _WORDS_PER_BLOCK + number - previous
            lists[block] += bytes([gap]) if gap < 0x80 else bytes([gap & 0x7F | 0x80, gap >> 7])
            previous = block * _WORDS_PER_BLOCK + number
        return [bytes(gaps) for gaps in lists]

    def _encoded_size(self) -> int:
        size = 2 + 2 * self.block_count + sum(len(gaps) for gaps in self._lists())
        return size + -size % 4


def _block_count(reloc_start: int) -> int:
    return -(-reloc_start // RELOC_BLOCK_SIZE)


def _parse_list(
    raw: bytes, begin: int, limit: int, block: int, reloc_start: int, words: list[int], is_last: bool
) -> int:
    """Appends the words of one list; returns the offset behind its last gap."""
    at = begin
    word = -1
    while at < limit:
        gap = raw[at]
        if gap == 0:
            if is_last:
                return at
            raise RelocationError(f"a gap of 0 in the list of block {block}")
        at += 1
        if gap & 0x80:
            if at == limit:
                raise RelocationError(f"the list of block {block} ends inside a gap")
            high = raw[at]
            at += 1
            if high == 0 or high & 0x80:
                raise RelocationError(f"a gap in the list of block {block} is not in its shortest form")
            gap = gap & 0x7F | high << 7
        word += gap
        offset = block * RELOC_BLOCK_SIZE + 4 * word
        if word >= _WORDS_PER_BLOCK or offset + 4 > reloc_start:
            raise RelocationError(f"a word of block {block} lies outside it or not below the table")
        words.append(offset)
    return at
