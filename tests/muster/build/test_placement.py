# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise

from hypothesis import assume, given
from hypothesis import strategies as st

from muster.build.placement import GAP_SIZE, NOWHERE, Piece, Span, place, spread

START = 0x100


@dataclass(frozen=True)
class Change:
    """A program before and after: `pieces` are those of the new one."""

    pieces: list[Piece]
    was_used: list[Span]
    fence: int


@st.composite
def changes(draw: st.DrawFn, growth: st.SearchStrategy[int]) -> Change:
    """Pieces in two output sections; some are gone, some new, and sizes differ by `growth`."""
    pieces: list[Piece] = []
    was_used: list[Span] = []
    at = START
    fence = 0
    for number in range(draw(st.integers(1, 25))):
        size, alignment = draw(st.integers(1, 60)), draw(st.sampled_from([1, 2, 4, 8]))
        at = -(-(at + draw(st.sampled_from([0, 0, 0, 5, 40]))) // alignment) * alignment
        if not fence and draw(st.integers(0, 9)) == 0:
            fence = at
        old = Span(at, at + size)
        kind = draw(st.sampled_from(["stays"] * 8 + ["gone", "new"]))
        if kind != "new":
            was_used.append(old)
            at = old.end
        if kind != "gone":
            lowest = fence if fence and draw(st.booleans()) else START
            grown = max(1, size + draw(growth))
            pieces.append(Piece(number, grown, alignment, lowest, None if kind == "new" else old))
    return Change(pieces, was_used, fence or NOWHERE)


ANY_GROWTH = st.sampled_from([0, 0, 0, 0, -3, 2, 16, 100])


def placed(change: Change, fill_holes: bool) -> dict[int, int]:
    return place(change.pieces, change.was_used, START, change.fence, fill_holes)


@given(change=changes(ANY_GROWTH), fill_holes=st.booleans())
def test_every_piece_has_one_place_of_its_own(change: Change, fill_holes: bool) -> None:
    addrs = placed(change, fill_holes)
    assert addrs.keys() == {piece.number for piece in change.pieces}
    spans = sorted((addrs[piece.number], addrs[piece.number] + piece.size) for piece in change.pieces)
    assert all(one[1] <= other[0] for one, other in pairwise(spans))
    for piece in change.pieces:
        addr = addrs[piece.number]
        assert addr >= max(START, piece.lowest)
        assert addr % piece.alignment == 0
        assert not addr < change.fence < addr + piece.size


@given(change=changes(st.sampled_from([0, 0, -1, -20])), fill_holes=st.booleans())
def test_what_still_fits_stays(change: Change, fill_holes: bool) -> None:
    addrs = placed(change, fill_holes)
    for piece in change.pieces:
        if piece.old is not None and piece.old.start >= piece.lowest:
            assert addrs[piece.number] == piece.old.start


@given(change=changes(st.just(0)), number=st.integers(0, 24), growth=st.integers(1, 200), fill_holes=st.booleans())
def test_piece_that_grows_moves_nothing_before_it(change: Change, number: int, growth: int, fill_holes: bool) -> None:
    assume(number < len(change.pieces))
    before = placed(change, fill_holes)
    grown = replace(change.pieces[number], size=change.pieces[number].size + growth)
    assume(grown.old is not None)
    pieces = [*change.pieces[:number], grown, *change.pieces[number + 1 :]]
    after = placed(replace(change, pieces=pieces), fill_holes)
    for piece in pieces[:number]:
        if piece.old is not None and piece.old.start >= piece.lowest:
            assert after[piece.number] == before[piece.number]


@given(change=changes(ANY_GROWTH), random=st.randoms(use_true_random=False), fill_holes=st.booleans())
def test_order_of_the_question_does_not_matter(change: Change, random: object, fill_holes: bool) -> None:
    other = list(change.pieces)
    random.shuffle(other)  # type: ignore[attr-defined]
    assert placed(replace(change, pieces=other), fill_holes) == placed(change, fill_holes)


def rows(*sizes: int, grown: dict[int, int] | None = None, gap_after: int = -1, gap: int = 0) -> Change:
    """Pieces of alignment 4, one behind another, with one gap; `grown` are the new sizes."""
    pieces = []
    at = START
    for number, size in enumerate(sizes):
        pieces.append(Piece(number, (grown or {}).get(number, size), 4, START, Span(at, at + size)))
        at += size + (gap if number == gap_after else 0)
    return Change(pieces, [piece.old for piece in pieces if piece.old], NOWHERE)


def test_growth_slides_up_to_the_next_gap_and_no_further() -> None:
    addrs = placed(rows(40, 40, 40, 40, grown={0: 52}, gap_after=2, gap=16), False)
    assert addrs == {0: START, 1: START + 52, 2: START + 92, 3: START + 136}


def test_without_a_gap_the_neighbour_goes_to_the_end_when_much_would_slide() -> None:
    addrs = placed(rows(40, 40, 400_000, 40, grown={0: 52}), False)
    assert addrs == {0: START, 1: START + 400_120, 2: START + 80, 3: START + 400_080}


def test_pinned_neighbour_makes_the_grown_piece_move() -> None:
    change = rows(40, 40, grown={0: 52})
    change.pieces[1] = replace(change.pieces[1], is_pinned=True)
    assert placed(change, False) == {0: START + 80, 1: START + 40}


def test_old_holes_are_filled_only_when_asked_for() -> None:
    change = rows(40, 40, gap_after=0, gap=100)
    change.pieces.append(Piece(9, 60, 4, START))
    assert [placed(change, fill_holes)[9] for fill_holes in (False, True)] == [START + 180, START + 40]


def test_new_piece_takes_the_place_of_one_that_is_gone() -> None:
    change = rows(40, 100, 40)
    change.pieces[1] = Piece(9, 60, 4, START)
    assert placed(change, False)[9] == START + 40


def test_piece_does_not_go_into_a_hole_above_its_highest_address() -> None:
    change = rows(40, 100, 40)
    change.pieces[1] = Piece(9, 60, 4, START, highest=START + 99)
    assert placed(change, False)[9] == START + 180


@given(sizes=st.lists(st.integers(1, 500), min_size=1, max_size=60), percent=st.sampled_from([0.0, 1.0, 5.0]))
def test_reserved_gaps_take_no_more_than_their_share(sizes: list[int], percent: float) -> None:
    pieces = [Piece(number, size, 1, START) for number, size in enumerate(sizes)]
    addrs = spread(pieces, START, percent)
    gaps = [addrs[number + 1] - addrs[number] - size for number, size in enumerate(sizes[:-1])]
    assert set(gaps) <= {0, GAP_SIZE}
    assert sum(gaps) <= sum(sizes) * percent / 100


def test_reserved_gaps_come_at_even_distances() -> None:
    addrs = spread([Piece(number, 320, 4, START) for number in range(40)], START, 1.0)
    gaps = [number for number in range(39) if addrs[number + 1] - addrs[number] > 320]
    assert gaps == [9, 19, 29]
