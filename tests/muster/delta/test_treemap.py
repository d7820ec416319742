# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from muster.delta.explain import Explanation, Row, explain
from muster.delta.treemap import PATCH_GROUP, UNNAMED_GROUP, Group, Rect, Tile, groups_of, place, squarify
from tests.muster.delta.explained import hand_made_trace, patch_size, releases

_VALUES = st.lists(st.floats(0.01, 1e6), min_size=1, max_size=60).map(lambda values: sorted(values, reverse=True))
_AREAS = st.builds(Rect, st.just(3.0), st.just(5.0), st.floats(1, 2000), st.floats(1, 2000))


def _overlap(first: Rect, second: Rect) -> float:
    width = min(first.x + first.width, second.x + second.width) - max(first.x, second.x)
    height = min(first.y + first.height, second.y + second.height) - max(first.y, second.y)
    return max(width, 0.0) * max(height, 0.0)


def _assert_inside(inner: Rect, outer: Rect) -> None:
    slack = 1e-6 * (outer.width + outer.height)
    assert inner.x >= outer.x - slack
    assert inner.y >= outer.y - slack
    assert inner.x + inner.width <= outer.x + outer.width + slack
    assert inner.y + inner.height <= outer.y + outer.height + slack


@given(_VALUES, _AREAS)
def test_rectangles_tile_the_area_in_proportion(values: list[float], area: Rect) -> None:
    rects = squarify(values, area)
    whole = area.width * area.height
    for value, rect in zip(values, rects, strict=True):
        assert rect.width * rect.height == pytest.approx(whole * value / sum(values), rel=1e-6, abs=1e-6 * whole)
        _assert_inside(rect, area)
    # Inside, as large together as the whole, and no two over each other: nothing is left free.
    assert sum(rect.width * rect.height for rect in rects) == pytest.approx(whole)
    overlaps = [_overlap(first, second) for at, first in enumerate(rects) for second in rects[:at]]
    assert sum(overlaps) == pytest.approx(0.0, abs=1e-6 * whole)


def test_example_of_the_paper_has_its_shapes() -> None:
    rects = squarify([6, 6, 4, 3, 2, 2, 1], Rect(0, 0, 6, 4))
    assert [(round(rect.width, 2), round(rect.height, 2)) for rect in rects[:4]] == [
        (3.0, 2.0),
        (3.0, 2.0),
        (1.71, 2.33),
        (1.29, 2.33),
    ]


def test_equal_values_give_squares() -> None:
    assert all(rect.width == pytest.approx(rect.height) for rect in squarify([1.0] * 16, Rect(0, 0, 400, 400)))


def test_nothing_has_no_rectangle() -> None:
    assert squarify([], Rect(0, 0, 10, 10)) == []


def _row(name: str, object_file: str, bits: float) -> Row:
    return Row(name, object_file, ".text", 0, 10, bits, {})


def _explanation(*rows: Row) -> Explanation:
    return Explanation(100, 1000, 0, rows, (), (), ())


def test_groups_are_object_files_largest_first() -> None:
    old, new = releases()
    trace = hand_made_trace(old, new)
    groups = groups_of(explain(trace, patch_size(trace), new.program(), old.program()))
    assert [group.name for group in groups] == [PATCH_GROUP, "explained.o", UNNAMED_GROUP]
    assert [tile.name for tile in groups[1].tiles[:3]] == ["added", "grew", "references"]
    assert sum(group.bits for group in groups) == pytest.approx(8 * patch_size(trace))


def test_what_is_too_small_to_see_is_put_together() -> None:
    small = [_row(f"f{number}", "a.o", 1.0) for number in range(50)]
    files = [_row("g", f"{number}.o", 10.0) for number in range(30)]
    groups = groups_of(_explanation(_row("large", "a.o", 9000.0), *small, *files))
    assert [group.name for group in groups] == ["a.o", "30 smaller files"]
    assert [(tile.name, tile.bits, len(tile.rows)) for tile in groups[0].tiles] == [
        ("large", 9000.0, 1),
        ("50 others", 50.0, 50),
    ]


def test_rows_that_save_bits_have_no_tile() -> None:
    assert groups_of(_explanation(_row("f", "a.o", 100.0), _row("end", "", -3.0)))[0].bits == 100.0


@given(st.lists(st.lists(st.floats(1, 1e5), min_size=1, max_size=12), min_size=1, max_size=12), _AREAS)
def test_tiles_lie_inside_their_group(sizes: list[list[float]], area: Rect) -> None:
    groups = [
        Group(f"{number}.o", tuple(Tile("f", bits, {}, ()) for bits in sorted(values, reverse=True)))
        for number, values in enumerate(sizes)
    ]
    groups.sort(key=lambda group: -group.bits)
    for placed in place(groups, area):
        _assert_inside(placed.rect, area)
        assert [tile for tile, _ in placed.tiles] == list(placed.group.tiles)
        for _, rect in placed.tiles:
            _assert_inside(rect, placed.rect)
            if placed.has_title:
                assert rect.y >= placed.rect.y + 17.0 - 1e-6
