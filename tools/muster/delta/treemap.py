# SPDX-License-Identifier: Apache-2.0
"""Lays a treemap out: rectangles whose areas are in proportion to numbers.

The method is M. Bruls, K. Huizing, J. J. van Wijk, "Squarified Treemaps" (2000): rows of rectangles along the shorter
side, each row as long as adding to it makes its rectangles more like squares.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from muster.delta.explain import Explanation, Row, sum_of_codings
from muster.delta.trace import Coding

PATCH_GROUP = "the patch itself"
"""Group of what stands for no byte of the target."""

UNNAMED_GROUP = "no object file"
_BLOCK_GROUP = "blocks of addresses"
_TILE_SHARE_MIN = 0.0015
"""Tiles and groups below that share of the patch are shown as one."""
_GROUP_SHARE_MIN = 0.004
_GROUP_GAP = 1.5
_TITLE_HEIGHT = 17.0
_TITLE_ROOM = (44.0, 34.0)
"""Width and height from which a group has a title."""


@dataclass(frozen=True, slots=True)
class Rect:
    x: float
    y: float
    width: float
    height: float

    def inset(self, left: float, top: float, right: float, bottom: float) -> Rect:
        """What is left of it without its edges; never less than nothing."""
        return Rect(
            self.x + left,
            self.y + top,
            max(self.width - left - right, 0.0),
            max(self.height - top - bottom, 0.0),
        )


@dataclass(frozen=True, slots=True)
class Tile:
    """One rectangle of the map.

    Attributes:
        rows: what it stands for; several where each alone would be too small to see.
    """

    name: str
    bits: float
    coding_bits: dict[Coding, float]
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class Group:
    """The tiles of one object file, largest first."""

    name: str
    tiles: tuple[Tile, ...]

    @property
    def bits(self) -> float:
        return sum(tile.bits for tile in self.tiles)


@dataclass(frozen=True, slots=True)
class PlacedGroup:
    """A group with its rectangle, and its tiles with theirs.

    Attributes:
        has_title: there is room above the tiles for the group's name, 17 units high.
    """

    group: Group
    rect: Rect
    has_title: bool
    tiles: tuple[tuple[Tile, Rect], ...]


def squarify(values: Sequence[float], rect: Rect) -> list[Rect]:
    """Divides a rectangle into one for each value: no gaps, no overlaps, areas in proportion to the values.

    Args:
        values: above 0; largest first gives the best shapes.
    """
    total = sum(values)
    if not values or total <= 0:
        return []
    scale = rect.width * rect.height / total
    areas = [value * scale for value in values]
    done: list[Rect] = []
    first = 0
    while first < len(areas):
        side = min(rect.width, rect.height)
        last = first + 1
        while last < len(areas) and _worst(areas[first : last + 1], side) <= _worst(areas[first:last], side):
            last += 1
        # What comes last takes all that is left, so that rounding leaves no gap.
        row, rect = _cut(areas[first:last], rect, is_last=last == len(areas))
        done += row
        first = last
    return done


def _worst(areas: Sequence[float], side: float) -> float:
    """How far from a square the worst rectangle of a row is, as a ratio of 1 or more."""
    total = sum(areas)
    if total <= 0 or side <= 0:
        return float("inf")
    thickness = total / side
    return max(max(area / thickness**2, thickness**2 / area) if area > 0 else float("inf") for area in areas)


def _cut(areas: Sequence[float], rect: Rect, is_last: bool) -> tuple[list[Rect], Rect]:
    """Lays a row along the shorter side; the rectangles, and what is left."""
    is_wide = rect.width >= rect.height
    side, room = (rect.height, rect.width) if is_wide else (rect.width, rect.height)
    total = sum(areas)
    thickness = room if is_last or side <= 0 else min(total / side, room)
    row = []
    at = 0.0
    done = 0.0
    for area in areas:
        done += area
        end = side * min(done / total, 1.0) if total > 0 else side
        if is_wide:
            row.append(Rect(rect.x, rect.y + at, thickness, end - at))
        else:
            row.append(Rect(rect.x + at, rect.y, end - at, thickness))
        at = end
    if is_wide:
        return row, Rect(rect.x + thickness, rect.y, rect.width - thickness, rect.height)
    return row, Rect(rect.x, rect.y + thickness, rect.width, rect.height - thickness)


def groups_of(explanation: Explanation) -> list[Group]:
    """The rows by object file, largest first; what is too small to see is put together."""
    total = sum(max(row.bits, 0.0) for row in explanation.rows)
    by_name: dict[str, list[Row]] = defaultdict(list)
    for row in explanation.rows:
        if row.bits > 0:
            by_name[_group_name(row)].append(row)
    groups = []
    small: dict[str, list[Row]] = {}
    for name, rows in by_name.items():
        if sum(row.bits for row in rows) < _GROUP_SHARE_MIN * total:
            small[name] = rows
        else:
            groups.append(Group(name, tuple(_tiles(rows, _TILE_SHARE_MIN * total))))
    if small:
        name = f"{len(small):,} smaller files" if len(small) > 1 else next(iter(small))
        together = [row for rows in small.values() for row in rows]
        groups.append(Group(name, tuple(_tiles(together, _TILE_SHARE_MIN * total))))
    return sorted(groups, key=lambda group: (-group.bits, group.name))


def place(groups: Sequence[Group], rect: Rect) -> list[PlacedGroup]:
    """Lays groups out in a rectangle, and the tiles of each inside its own."""
    placed = []
    for group, outer in zip(groups, squarify([group.bits for group in groups], rect), strict=True):
        has_title = outer.width >= _TITLE_ROOM[0] and outer.height >= _TITLE_ROOM[1]
        gap = min(_GROUP_GAP, outer.width / 4, outer.height / 4)
        inner = outer.inset(gap, _TITLE_HEIGHT if has_title else gap, gap, gap)
        rects = squarify([tile.bits for tile in group.tiles], inner)
        placed.append(PlacedGroup(group, outer, has_title, tuple(zip(group.tiles, rects, strict=True))))
    return placed


def _group_name(row: Row) -> str:
    if row.object_file:
        return row.object_file
    if row.offset is None:
        return PATCH_GROUP
    if not row.section:
        return _BLOCK_GROUP if row.name.startswith("0x") else PATCH_GROUP
    return UNNAMED_GROUP


def _tiles(rows: Iterable[Row], smallest: float) -> list[Tile]:
    tiles = []
    small = []
    for row in rows:
        if row.bits < smallest:
            small.append(row)
        else:
            tiles.append(Tile(row.name, row.bits, row.coding_bits, (row,)))
    if small:
        name = small[0].name if len(small) == 1 else f"{len(small):,} others"
        bits = sum(row.bits for row in small)
        tiles.append(Tile(name, bits, sum_of_codings(small), tuple(small)))
    return sorted(tiles, key=lambda tile: (-tile.bits, tile.name))
