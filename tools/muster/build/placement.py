# SPDX-License-Identifier: Apache-2.0
"""Where the pieces of a program go when as many as possible are to stay where they were.

A piece is an input section. A piece that still fits stays. One that has grown keeps its start, and what follows slides
up as far as the next gaps that take up the difference; or its neighbours make room; or it moves itself: whichever costs
a patch least. All that has to move goes into holes or to the end.
"""

from __future__ import annotations

import bisect
from collections.abc import Sequence
from dataclasses import dataclass, replace

MOVE_PRICE = 40.0
SLIDE_PRICE = 6.0
SLIDE_BYTES = 5000.0
"""What a patch takes, in bytes, when a piece goes elsewhere and leaves a hole, and when pieces slide up together; one
byte more for every so many that move, for the calls and pointers to them (measured on an image of 319 KB)."""
GAP_SIZE = 32
"""Bytes of one reserved gap: a function that a line was added to grows by 4 to 24."""

NOWHERE = 1 << 32
"""Behind every address."""


@dataclass(frozen=True, slots=True)
class Span:
    """The addresses from `start` up to, not including, `end`."""

    start: int
    end: int

    @property
    def size(self) -> int:
        return self.end - self.start


@dataclass(frozen=True, slots=True)
class Piece:
    """What is to be placed.

    Attributes:
        number: its place in the link's own order; no two are equal.
        size: at least 1.
        alignment: a power of two.
        lowest: it must not lie below this address.
        old: where it was, if it was.
        highest: it goes into no hole that reaches further than this address.
        is_pinned: it never makes room for another.
    """

    number: int
    size: int
    alignment: int
    lowest: int
    old: Span | None = None
    highest: int = NOWHERE
    is_pinned: bool = False

    def first_addr(self, start: int, fence: int) -> int:
        """The lowest address from `start` on where it may lie: aligned, and not across the fence."""
        addr = align_up(max(start, self.lowest), self.alignment)
        return align_up(fence, self.alignment) if addr < fence < addr + self.size else addr


def align_up(addr: int, alignment: int) -> int:
    """The next multiple of a power of two."""
    return (addr + alignment - 1) & -alignment


def place(
    pieces: Sequence[Piece], was_used: Sequence[Span], start: int, fence: int, fill_holes: bool
) -> dict[int, int]:
    """The address of each piece, by its number. Equal arguments give equal addresses.

    Args:
        pieces: their old places do not overlap.
        was_used: every place of the old program, of pieces that are gone too.
        start: nothing lies below it.
        fence: no piece lies across it (the border of two output sections).
        fill_holes: pieces that move also go into holes which the old program had already. That keeps the program
            shorter; without it they only take places that other pieces have left, so that no old hole changes.
    """
    pieces = [replace(piece, lowest=max(piece.lowest, start)) for piece in pieces]
    memory = _Memory()
    _let_stay(memory, pieces, fence)
    moving = [piece for piece in pieces if piece.number not in memory.addrs]
    end = max(start, memory.end)
    holes = memory.holes(start)
    if not fill_holes:
        left = _merged(was_used)
        holes = [hole for hole in holes if _touches(left, hole)]
    _fill(memory, holes, moving, fence)
    for piece in sorted(moving, key=lambda piece: piece.number):
        if piece.number not in memory.addrs:
            addr = piece.first_addr(end, fence)
            memory.add(piece, addr)
            end = addr + piece.size
    return memory.addrs


def spread(pieces: Sequence[Piece], start: int, reserve_percent: float) -> dict[int, int]:
    """The address of each piece, by its number, in their order and with a gap now and then.

    Args:
        start: address of the first.
        reserve_percent: how much of the whole the gaps are together.
    """
    addrs = {}
    earned = 0.0
    for piece in sorted(pieces, key=lambda piece: piece.number):
        gap = GAP_SIZE if earned >= GAP_SIZE * 100 else 0
        addrs[piece.number] = align_up(start + gap, piece.alignment)
        start = addrs[piece.number] + piece.size
        earned += piece.size * reserve_percent - gap * 100
    return addrs


def _let_stay(memory: _Memory, pieces: Sequence[Piece], fence: int) -> None:
    """Leaves pieces at their old addresses: all that fit, and of those that have grown whichever is cheaper."""
    grown = []
    for piece in pieces:
        if piece.old is None or piece.first_addr(piece.old.start, fence) != piece.old.start:
            continue
        # What has grown first takes its old room only, so that no neighbour does.
        memory.add(replace(piece, size=min(piece.size, piece.old.size)), piece.old.start)
        if piece.size > piece.old.size:
            grown.append((piece.old.start, piece))
    for _, piece in sorted(grown, key=lambda one: one[0]):
        # It has had to make room itself, or has slid.
        if piece.number in memory.addrs:
            _grow(memory, piece, memory.addrs[piece.number], fence)


def _grow(memory: _Memory, piece: Piece, addr: int, fence: int) -> None:
    """Gives a piece that took its old room only the room that it needs now, or takes it away."""
    memory.remove(piece)
    in_the_way = memory.overlapping(Span(addr, addr + piece.size))
    if any(other.is_pinned for other in in_the_way) or piece.first_addr(addr, fence) != addr:
        return
    slid = _slide(memory, piece, addr, fence)
    leave = MOVE_PRICE + piece.size / SLIDE_BYTES
    clear = sum(MOVE_PRICE + other.size / SLIDE_BYTES for other in in_the_way)
    slide = NOWHERE if slid is None else SLIDE_PRICE + sum(other.size for other, _ in slid) / SLIDE_BYTES
    if leave < min(clear, slide):
        return
    if slid is None or clear <= slide:
        slid = []
    else:
        in_the_way = [other for other, _ in slid]
    for other in in_the_way:
        memory.remove(other)
    memory.add(piece, addr)
    for other, to in slid:
        memory.add(other, to)


def _slide(memory: _Memory, piece: Piece, addr: int, fence: int) -> list[tuple[Piece, int]] | None:
    """What moves up, and where to, when a piece takes the room that it needs and the gaps behind it take up the rest;
    None where that would push a piece over a border.
    """
    end = addr + piece.size
    slid = []
    for at, other in memory.from_addr(addr):
        to = max(at, align_up(end, other.alignment))
        if to == at:
            break
        if other.is_pinned or other.first_addr(to, fence) != to or (at < fence) != (to < fence):
            return None
        slid.append((other, to))
        end = to + other.size
    return slid


def _fill(memory: _Memory, holes: list[Span], moving: Sequence[Piece], fence: int) -> None:
    """Puts the largest pieces first, each into the smallest hole that it fits into."""
    by_size = sorted((hole.size, hole.start) for hole in holes)
    for piece in sorted(moving, key=lambda piece: (-piece.size, piece.number)):
        for at in range(bisect.bisect_left(by_size, (piece.size, 0)), len(by_size)):
            size, start = by_size[at]
            addr = piece.first_addr(start, fence)
            if addr + piece.size <= min(start + size, piece.highest):
                memory.add(piece, addr)
                del by_size[at]
                for part in (Span(start, addr), Span(addr + piece.size, start + size)):
                    if part.size > 0:
                        bisect.insort(by_size, (part.size, part.start))
                break


def _merged(spans: Sequence[Span]) -> list[Span]:
    """The same addresses in as few spans as there can be, rising."""
    found: list[Span] = []
    for span in sorted(spans, key=lambda span: span.start):
        if found and span.start <= found[-1].end:
            found[-1] = Span(found[-1].start, max(found[-1].end, span.end))
        else:
            found.append(span)
    return found


def _touches(rising: list[Span], span: Span) -> bool:
    number = bisect.bisect_left(rising, span.end, key=lambda other: other.start)
    return number > 0 and rising[number - 1].end > span.start


class _Memory:
    """Pieces at their addresses, none over another."""

    def __init__(self) -> None:
        self.addrs: dict[int, int] = {}
        self._rising: list[tuple[int, Piece]] = []

    @property
    def end(self) -> int:
        """The first address behind all pieces; 0 when there are none."""
        return self._rising[-1][0] + self._rising[-1][1].size if self._rising else 0

    def add(self, piece: Piece, addr: int) -> None:
        assert not self.overlapping(Span(addr, addr + piece.size)), "two pieces at one place"
        self.addrs[piece.number] = addr
        self._rising.insert(self._index(addr), (addr, piece))

    def remove(self, piece: Piece) -> None:
        del self._rising[self._index(self.addrs.pop(piece.number))]

    def overlapping(self, span: Span) -> list[Piece]:
        """The pieces that lie in a span, rising."""
        first = self._index(span.start)
        if first > 0 and self._rising[first - 1][0] + self._rising[first - 1][1].size > span.start:
            first -= 1
        return [piece for _, piece in self._rising[first : self._index(span.end)]]

    def from_addr(self, addr: int) -> list[tuple[int, Piece]]:
        """The pieces from an address on, rising, with their addresses."""
        return self._rising[self._index(addr) :]

    def holes(self, start: int) -> list[Span]:
        """What is free between `start` and the last piece, rising."""
        found = []
        for addr, piece in self._rising:
            if addr > start:
                found.append(Span(start, addr))
            start = max(start, addr + piece.size)
        return found

    def _index(self, addr: int) -> int:
        return bisect.bisect_left(self._rising, addr, key=lambda one: one[0])
