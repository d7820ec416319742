# SPDX-License-Identifier: Apache-2.0
"""The treemap of a patch as one HTML file: no scripts, nothing from elsewhere, equal bytes for equal patches.

A tile's area says how many bits a function takes, its bands what they were spent on. Two layouts of the same tiles are
in the file, for wide and for narrow windows: a map that is only scaled down cannot be read.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import jinja2
from markupsafe import Markup

from muster.delta.explain import Explanation, Row, byte_text
from muster.delta.trace import Coding
from muster.delta.treemap import PlacedGroup, Rect, Tile, groups_of, place

ROWS_SHOWN = 300
_WIDE = Rect(0, 0, 1160, 620)
_NARROW = Rect(0, 0, 360, 560)
_LETTER_WIDTH = 6.9
"""Of the mean letter in 11 units of a sans-serif font; names are cut so that they fit."""
_BOLD_LETTER_WIDTH = 7.5
_LETTERS_MIN = 3
_LINE_HEIGHT = 13.0
_BAND_SHARE_MIN = 0.03
"""A coding below that share of its tile has no band of its own."""

_COLOURS = {
    Coding.LITERAL: ("#f4a582", "#a0432a"),
    Coding.MISS: ("#fbd07c", "#836013"),
    Coding.BRANCH: ("#94c6e3", "#23618c"),
    Coding.POINTER: ("#83d3c5", "#1b6d62"),
    Coding.COPY: ("#cbb8e8", "#5f4a8c"),
    Coding.HIT: ("#d0d9c5", "#47563d"),
    Coding.MAP: ("#b9bcd6", "#4f5173"),
    Coding.TABLE: ("#a9bccb", "#43586c"),
    Coding.TAIL: ("#dcc8b7", "#685342"),
}
_OTHER_COLOUR = ("#d9d9d9", "#484848")
_MEANINGS = {
    Coding.LITERAL: "bytes that come from nowhere else",
    Coding.MISS: "copied, but different",
    Coding.BRANCH: "where branches and calls lead",
    Coding.POINTER: "addresses of code, data and constants",
    Coding.COPY: "that a copy begins, and from where",
    Coding.HIT: "the word that a prediction holds",
    Coding.MAP: "which part of the base lies where",
    Coding.TABLE: "the relocation table",
    Coding.TAIL: "what is new in every release",
}

_PAGE = """\
{%- macro svg(view) -%}
<svg viewBox="0 0 {{ view.width }} {{ view.height }}" role="img" aria-label="Treemap: bits by object file and function">
{%- for group in view.groups %}
<g><title>{{ group.title }}</title><rect class="file" {{ group.rect }}/>
{%- if group.label %}<text class="name" {{ group.label_at }}>{{ group.label }}</text>{% endif %}</g>
{%- for tile in group.tiles %}
{% if tile.link %}<a href="#{{ tile.link }}">{% endif %}<g><title>{{ tile.title }}</title>
{%- for band in tile.bands %}<rect class="{{ band.style }}" {{ band.rect }}/>{% endfor -%}
<rect class="edge" {{ tile.rect }}/>
{%- for line in tile.lines %}<text {{ line.at }}>{{ line.text }}</text>{% endfor %}</g>{% if tile.link %}</a>{% endif %}
{%- endfor %}
{%- endfor %}
</svg>
{%- endmacro -%}
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{{ title }}: where its bits go</title>
<style>
:root { --page: #fbfbfa; --text: #1c1c1e; --soft: #5c5c62; --line: #dededc; --edge: #fbfbfa; --file: #ecece9;
{%- for style, light, dark in colours %} --{{ style }}: {{ light }};{% endfor %} }
@media (prefers-color-scheme: dark) {
:root { --page: #17181a; --text: #ececee; --soft: #a6a7ad; --line: #37383c; --edge: #17181a; --file: #2a2b2f;
{%- for style, light, dark in colours %} --{{ style }}: {{ dark }};{% endfor %} }
}
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1rem; max-width: 1200px; background: var(--page); color: var(--text);
  font: 15px/1.45 system-ui, sans-serif; }
h1 { font-size: 1.25rem; margin: 0 0 .5rem; overflow-wrap: anywhere; }
h2 { font-size: 1.05rem; margin: 1.5rem 0 .5rem; }
p { margin: .25rem 0; overflow-wrap: anywhere; }
ul { padding: 0; margin: .75rem 0; list-style: none; }
.hints li { border-left: 3px solid var(--k-miss); padding: .1rem .75rem; margin: .4rem 0; overflow-wrap: anywhere; }
.legend { display: flex; flex-wrap: wrap; gap: .3rem 1rem; font-size: .85rem; }
.swatch { display: inline-block; width: .9em; height: .9em; border-radius: 2px;
  margin-right: .4em; vertical-align: -.1em; }
svg { display: block; width: 100%; height: auto; }
svg text { font: 11px system-ui, sans-serif; fill: var(--text); pointer-events: none; }
svg .name { font-weight: 600; }
svg .file { fill: var(--file); }
svg .edge { fill: none; stroke: var(--edge); stroke-width: 1; }
svg a:hover .edge, svg a:focus .edge { stroke: var(--text); stroke-width: 2; }
.narrow { display: none; }
@media (max-width: 859px) {
.wide { display: none; }
.narrow { display: block; max-width: 600px; margin: 0 auto; }
}
table { border-collapse: collapse; width: 100%; font-size: .9rem; }
th, td { text-align: left; padding: .3rem .75rem .3rem 0; border-bottom: 1px solid var(--line); vertical-align: top; }
th { color: var(--soft); font-weight: 500; }
td:first-child { overflow-wrap: anywhere; }
.number { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; }
.soft { color: var(--soft); font-size: .85em; display: block; }
.bar { display: flex; min-width: 110px; height: .8rem; margin-top: .25rem; }
.bar i { display: block; }
:target td { background: var(--file); }
.extra-narrow { display: none; }
@media (max-width: 859px) { .extra-narrow { display: block; } .extra { display: none; } .bar { min-width: 60px; } }
{%- for style, light, dark in colours %}
.{{ style }} { fill: var(--{{ style }}); background: var(--{{ style }}); }
{%- endfor %}
</style>
</head>
<body>
<h1>{{ title }}: where its bits go</h1>
{%- for line in summary %}
<p>{{ line }}</p>
{%- endfor %}
{%- if hints %}
<ul class="hints">
{%- for hint in hints %}
<li>{{ hint }}</li>
{%- endfor %}
</ul>
{%- endif %}
<ul class="legend">
{%- for entry in legend %}
<li title="{{ entry.meaning }}"><span class="swatch {{ entry.style }}"></span>{{ entry.name }} {{ entry.size }}</li>
{%- endfor %}
</ul>
<div class="wide">{{ svg(wide) }}</div>
<div class="narrow">{{ svg(narrow) }}</div>
<h2>What takes most</h2>
<table>
<thead><tr><th>name</th><th class="number">bytes</th><th class="number">share</th><th class="number extra">size</th>
<th class="extra">what became of it</th><th>spent on</th></tr></thead>
<tbody>
{%- for row in rows %}
<tr id="{{ row.id }}"><td>{{ row.name }}<span class="soft">{{ row.where }}</span>
{%- if row.change %}<span class="soft extra-narrow">{{ row.change }}</span>{% endif %}</td>
<td class="number">{{ row.bytes }}</td><td class="number">{{ row.share }}</td>
<td class="number extra">{{ row.size }}</td><td class="extra">{{ row.change }}</td>
<td><div class="bar" title="{{ row.spent }}">
{%- for style, width in row.bars %}<i class="{{ style }}" style="width:{{ width }}%"></i>{% endfor %}</div></td></tr>
{%- endfor %}
</tbody>
</table>
{%- if rest %}
<p class="soft">{{ rest }}</p>
{%- endif %}
</body>
</html>
"""


@dataclass(frozen=True, slots=True)
class _Band:
    style: str
    rect: str


@dataclass(frozen=True, slots=True)
class _Line:
    at: str
    text: str


@dataclass(frozen=True, slots=True)
class _TileView:
    title: str
    link: str
    rect: str
    bands: tuple[_Band, ...]
    lines: tuple[_Line, ...]


@dataclass(frozen=True, slots=True)
class _GroupView:
    title: str
    rect: str
    label: str
    label_at: str
    tiles: tuple[_TileView, ...]


@dataclass(frozen=True, slots=True)
class _MapView:
    width: float
    height: float
    groups: tuple[_GroupView, ...]


@dataclass(frozen=True, slots=True)
class _LegendEntry:
    name: str
    style: str
    meaning: str
    size: str


@dataclass(frozen=True, slots=True)
class _RowView:
    id: str
    name: str
    where: str
    bytes: str
    share: str
    size: str
    change: str
    spent: str
    bars: tuple[tuple[str, str], ...]


def treemap_page(explanation: Explanation, title: str) -> str:
    """The page of one patch.

    Args:
        title: what the patch is called.
    """
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, autoescape=True, keep_trailing_newline=True)
    shown = explanation.rows[:ROWS_SHOWN]
    ids = {_key(row): f"r{number}" for number, row in enumerate(shown)}
    total = 8 * explanation.patch_size
    groups = groups_of(explanation)
    views = [
        _MapView(
            area.width, area.height, tuple(_group_view(placed, ids, explanation) for placed in place(groups, area))
        )
        for area in (_WIDE, _NARROW)
    ]
    left = explanation.rows[ROWS_SHOWN:]
    return environment.from_string(_PAGE).render(
        title=title,
        summary=explanation.summary(),
        hints=explanation.hints,
        colours=[(_style(coding), *pair) for coding, pair in _COLOURS.items()] + [(_style(None), *_OTHER_COLOUR)],
        legend=list(_legend(explanation)),
        wide=views[0],
        narrow=views[1],
        rows=[_row_view(row, f"r{number}", total, explanation.load_base) for number, row in enumerate(shown)],
        rest=f"and {len(left):,} more with {byte_text(sum(row.bits for row in left))} together" if left else "",
    )


def _style(coding: Coding | None) -> str:
    return f"k-{coding.name.lower()}" if coding is not None else "k-other"


def _key(row: Row) -> tuple[str, str, str]:
    return row.name, row.object_file, row.section


def _legend(explanation: Explanation) -> Iterator[_LegendEntry]:
    for coding, meaning in _MEANINGS.items():
        bits = sum(row.coding_bits.get(coding, 0.0) for row in explanation.rows)
        if bits > 0:
            yield _LegendEntry(coding.value, _style(coding), meaning, byte_text(bits))
    bits = sum(row.bits for row in explanation.rows if not row.coding_bits)
    yield _LegendEntry("header and end", _style(None), "what every patch has", byte_text(bits))


def _group_view(placed: PlacedGroup, ids: dict[tuple[str, str, str], str], explanation: Explanation) -> _GroupView:
    rect = placed.rect
    return _GroupView(
        title=f"{placed.group.name}: {_cost(placed.group.bits, explanation)}",
        rect=_rect_text(rect),
        label=_cut(placed.group.name, rect.width - 8, _BOLD_LETTER_WIDTH) if placed.has_title else "",
        label_at=_at(rect.x + 4, rect.y + 12.5),
        tiles=tuple(_tile_view(tile, at, ids, explanation) for tile, at in placed.tiles),
    )


def _tile_view(tile: Tile, rect: Rect, ids: dict[tuple[str, str, str], str], explanation: Explanation) -> _TileView:
    title = f"{tile.name}: {_cost(tile.bits, explanation)}"
    if len(tile.rows) == 1:
        row = tile.rows[0]
        if row.size:
            title += f"\n{_where(row, explanation.load_base)}, {row.size:,} bytes of code or data"
        if row.change is not None:
            title += f", {row.change.text}"
    title += f"\n{_spent(tile.coding_bits)}"
    texts = [tile.name, byte_text(tile.bits)]
    lines = []
    for number, text in enumerate(texts):
        if rect.height < _LINE_HEIGHT * (number + 1) + 3:
            break
        fitting = _cut(text, rect.width - 7)
        if fitting and (number == 0 or fitting == text):
            lines.append(_Line(_at(rect.x + 4, rect.y + _LINE_HEIGHT * (number + 1)), fitting))
    return _TileView(
        title=title,
        link=ids.get(_key(tile.rows[0]), "") if len(tile.rows) == 1 else "",
        rect=_rect_text(rect),
        bands=tuple(_bands(tile, rect)),
        lines=tuple(lines),
    )


def _bands(tile: Tile, rect: Rect) -> Iterator[_Band]:
    shares = [(coding, bits) for coding, bits in tile.coding_bits.items() if bits >= _BAND_SHARE_MIN * tile.bits]
    total = sum(bits for _, bits in shares)
    if not shares:
        yield _Band(_style(None), _rect_text(rect))
    done = 0.0
    for coding, bits in sorted(shares, key=lambda item: list(_COLOURS).index(item[0])):
        top = rect.height * done / total
        done += bits
        bottom = rect.height * done / total
        yield _Band(_style(coding), _rect_text(Rect(rect.x, rect.y + top, rect.width, bottom - top)))


def _row_view(row: Row, row_id: str, total: int, load_base: int) -> _RowView:
    spent = sum(row.coding_bits.values())
    bars = [(_style(coding), f"{100 * bits / spent:.1f}") for coding, bits in row.coding_bits.items() if spent > 0]
    return _RowView(
        id=row_id,
        name=row.name,
        where=_where(row, load_base),
        bytes=byte_text(row.bits).removesuffix(" bytes"),
        share=f"{100 * row.bits / total:.1f} %",
        size=f"{row.size:,}" if row.size else "",
        change=row.change.text if row.change is not None else "",
        spent=_spent(row.coding_bits),
        bars=tuple(bars) or ((_style(None), "100"),),
    )


def _where(row: Row, load_base: int) -> str:
    if row.offset is None:
        return ""
    parts = [row.object_file, row.section, f"0x{load_base + row.offset:08X}"]
    return ", ".join(part for part in parts if part)


def _spent(coding_bits: dict[Coding, float]) -> str:
    spent = [f"{coding.value} {byte_text(bits)}" for coding, bits in coding_bits.items() if bits >= 1]
    return ", ".join(spent)


def _cost(bits: float, explanation: Explanation) -> str:
    return f"{byte_text(bits)}, {100 * bits / (8 * explanation.patch_size):.1f} % of the patch"


def _cut(text: str, width: float, letter_width: float = _LETTER_WIDTH) -> str:
    """The text, or as much of it as fits; nothing where that would say nothing.

    Names in a program differ at their ends, sentences begin with what counts.
    """
    room = int(width / letter_width)
    if len(text) <= room:
        return text
    if room <= _LETTERS_MIN:
        return ""
    return text[: room - 1] + "…" if " " in text else "…" + text[1 - room :]


def _rect_text(rect: Rect) -> Markup:
    return Markup(  # noqa: S704 -- only numbers
        f'x="{rect.x:.1f}" y="{rect.y:.1f}" width="{rect.width:.1f}" height="{rect.height:.1f}"'
    )


def _at(x: float, y: float) -> Markup:
    return Markup(f'x="{x:.1f}" y="{y:.1f}"')  # noqa: S704 -- only numbers
