# SPDX-License-Identifier: Apache-2.0
"""Says where the bits of a patch go and why they are needed."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum

from muster.delta.compare import Change, Comparison, Fate, compare
from muster.delta.program import Part, PartKind, Program
from muster.delta.trace import Coding, Trace

_SHARES_SAID = 5
_NAMES_SAID = 3
_NAME_BITS_MIN = 4.0
"""Names that cost less than half a byte are left out of a sentence."""
_SHARE_WORTH_SAYING = 0.02
_MOVED_WORTH_SAYING = 0.25
"""From which share of the unchanged parts and of the patch on moved code is worth a hint."""
_MOVED_COST_WORTH_SAYING = 0.1
_TAIL_WORTH_SAYING = 0.4
_PLAIN_SIZE = 256
_PLAIN_BITS_PER_BYTE = 7.0
"""A part of that size which takes that many bits for each byte does not look like code or text."""

OTHER_ROW = "end of the stream"
"""What the range coder writes to finish, less what rounding saves."""

HEADER_ROW = "header"
MAP_ROW = "map of what moved"
TABLE_ROW = "relocation table"
_TITLES = {Coding.MAP: MAP_ROW, Coding.TABLE: TABLE_ROW}


class Grouping(StrEnum):
    """What one row stands for."""

    FUNCTION = "function"
    """A function, an object or the strings of one; without an ELF file 4 KiB of addresses."""
    OBJECT = "object"
    """An object file."""
    SECTION = "section"
    """A section of the program."""


class Cause(StrEnum):
    """Why bits are needed, as it stands in a sentence."""

    NEW = "new code and data"
    CHANGED = "changed code and data"
    REFERENCES = "references to what moved"
    COPIES = "saying what is copied from where"
    PREDICTED = "saying that predictions hold"
    MAP = "the map of what moved"
    TABLE = "the relocation table"
    TAIL = "signatures and ids"
    HEADER = "the header"
    END = "the end of the stream"


@dataclass(frozen=True, slots=True)
class Row:
    """Bits that belong together.

    Attributes:
        offset: of the first byte in the target; None for what stands for no byte.
        size: target bytes.
        coding_bits: what was spent on what, most first.
        change: what became of a function or object; None where that is not known, and in a row of several.
    """

    name: str
    object_file: str
    section: str
    offset: int | None
    size: int
    bits: float
    coding_bits: dict[Coding, float]
    change: Change | None = None

    @property
    def bytes(self) -> float:
        return self.bits / 8


@dataclass(frozen=True, slots=True)
class Share:
    """How much of the patch has one cause.

    Attributes:
        rows: the functions and objects that cost most of it, as names and bits.
    """

    cause: Cause
    bits: float
    rows: tuple[tuple[str, float], ...]


@dataclass(frozen=True, slots=True)
class Explanation:
    """Where the bits of a patch go.

    Attributes:
        patch_size: bytes, header included.
        rows: every function, object and other part that takes any bits, most expensive first, and what the patch needs
            beside them. Their bits add up to the patch.
        shares: by cause, largest first.
        removed: functions and objects of the base that are gone, largest first.
        hints: what would make the patch smaller; each is a sentence that the numbers bear out.
    """

    patch_size: int
    target_size: int
    load_base: int
    rows: tuple[Row, ...] = field(repr=False)
    shares: tuple[Share, ...]
    removed: tuple[Part, ...]
    hints: tuple[str, ...]

    def summary(self) -> list[str]:
        """The answer in sentences: the total, and what most of it is."""
        percent = 100 * self.patch_size / max(self.target_size, 1)
        share = f"{percent:.1f}" if percent >= 1 else f"{percent:.2f}"
        lines = [f"The patch has {self.patch_size:,} bytes, {share} % of the {self.target_size:,} that it makes."]
        said = [item for item in self.shares if item.bits >= 8 * self.patch_size * _SHARE_WORTH_SAYING]
        lines += [self._sentence(item) for item in said[:_SHARES_SAID]]
        return lines

    def grouped(self, by: Grouping) -> list[Row]:
        """The rows, or their sums by object file or section."""
        if by is Grouping.FUNCTION:
            return list(self.rows)
        key_of: Callable[[Row], str] = _object_or_name if by is Grouping.OBJECT else _section_or_name
        groups: dict[str, list[Row]] = defaultdict(list)
        for row in self.rows:
            groups[key_of(row)].append(row)
        return _by_cost(_sum_of(name, rows, by) for name, rows in groups.items())

    def _sentence(self, share: Share) -> str:
        percent = 100 * share.bits / (8 * self.patch_size)
        text = f"{percent:.0f} % ({byte_text(share.bits)}) is {share.cause}"
        worth = [(name, bits) for name, bits in share.rows if bits >= _NAME_BITS_MIN]
        if not worth or share.cause not in (Cause.NEW, Cause.CHANGED, Cause.REFERENCES):
            return f"{text}."
        named = [f"{name} ({byte_text(bits)})" for name, bits in worth[:_NAMES_SAID]]
        left = len(worth) - len(named)
        return f"{text}: {', '.join(named)}{f' and {left:,} more' if left else ''}."


def byte_text(bits: float) -> str:
    """Bits as bytes, as exact as one wants to read them."""
    count = bits / 8
    text = f"{count:,.0f}" if abs(count) >= 20 else f"{count:.1f}"
    return f"{text} bytes"


def explain(trace: Trace, patch_size: int, target: Program, base: Program | None = None) -> Explanation:
    """Accounts for every bit of a patch.

    Bits that were spent for several bytes are shared out evenly among them; those of a copy's source and length count
    where the copy begins.

    Args:
        patch_size: bytes of the whole patch.
        target: what the patch makes.
        base: what it was made for; with names in both, each row says what became of it.
    """
    comparison = compare(base, target) if base is not None and base.is_named and target.is_named else None
    tallies: dict[tuple[str, str, str], _Tally] = {}
    causes: dict[Cause, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    for part, title, bits, coding in _attributed(trace, patch_size, target):
        change = comparison.changes.get(part.offset) if part is not None and comparison is not None else None
        key = (title, part.object_file, part.section) if part is not None else (title, "", "")
        tally = tallies.setdefault(key, _Tally(title))
        tally.add(part, bits, coding, change)
        causes[_cause(part, title, coding, change, trace.header.is_full_image)][title] += bits
    rows = _by_cost(tally.row() for tally in tallies.values() if tally.bits)
    shares = [
        Share(cause, sum(names.values()), tuple(sorted(names.items(), key=lambda item: (-item[1], item[0]))))
        for cause, names in causes.items()
    ]
    shares.sort(key=lambda share: (-share.bits, share.cause))
    return Explanation(
        patch_size=patch_size,
        target_size=len(target.image),
        load_base=target.load_base,
        rows=tuple(rows),
        shares=tuple(shares),
        removed=comparison.removed if comparison is not None else (),
        hints=tuple(_hints(patch_size, rows, shares, comparison, base, target, trace.header.is_full_image)),
    )


class _Tally:
    """The sum of one row while it grows."""

    def __init__(self, name: str) -> None:
        self.bits = 0.0
        self._name = name
        self._coding_bits: dict[Coding, float] = defaultdict(float)
        self._parts: dict[int, Part] = {}
        self._change: Change | None = None

    def add(self, part: Part | None, bits: float, coding: Coding | None, change: Change | None) -> None:
        self.bits += bits
        if coding is not None:
            self._coding_bits[coding] += bits
        if part is not None:
            self._parts[part.offset] = part
            self._change = change

    def row(self) -> Row:
        parts = list(self._parts.values())
        return Row(
            self._name,
            parts[0].object_file if parts else "",
            parts[0].section if parts else "",
            min(self._parts, default=None),
            sum(part.size for part in parts),
            self.bits,
            _sorted_codings(self._coding_bits),
            self._change if len(parts) == 1 else None,
        )


def _attributed(
    trace: Trace, patch_size: int, target: Program
) -> Iterator[tuple[Part | None, str, float, Coding | None]]:
    """Every bit of the patch: its part of the target or None, the row's name, the bits and what they were spent on."""
    left = 8.0 * (patch_size - trace.header_bytes)
    yield None, HEADER_ROW, 8.0 * trace.header_bytes, None
    for spent in trace.spent:
        left -= spent.bits
        if spent.length == 0 and spent.coding in _TITLES:
            yield None, _TITLES[spent.coding], spent.bits, spent.coding
            continue
        length = max(spent.length, 1)
        for part, count in target.parts_in(spent.offset, length):
            yield part, part.name, spent.bits * count / length, spent.coding
    yield None, OTHER_ROW, left, None


def _cause(part: Part | None, title: str, coding: Coding | None, change: Change | None, is_full: bool) -> Cause:
    if coding is None:
        return Cause.HEADER if title == HEADER_ROW else Cause.END
    if coding is Coding.MAP:
        return Cause.MAP
    if coding is Coding.TABLE or (part is not None and part.kind is PartKind.TABLE):
        return Cause.TABLE
    if coding is Coding.TAIL or (part is not None and part.kind is PartKind.TAIL):
        return Cause.TAIL
    if is_full and coding in (Coding.LITERAL, Coding.MISS, Coding.BRANCH, Coding.POINTER):
        return Cause.NEW
    if change is not None and change.fate.is_changed:
        return Cause.NEW if change.fate is Fate.NEW else Cause.CHANGED
    if change is not None and coding in (Coding.MISS, Coding.LITERAL):
        # The code is as it was: a reference has moved, or was taken for one.
        return Cause.REFERENCES
    return _CAUSES[coding]


_CAUSES = {
    Coding.LITERAL: Cause.NEW,
    Coding.MISS: Cause.CHANGED,
    Coding.BRANCH: Cause.REFERENCES,
    Coding.POINTER: Cause.REFERENCES,
    Coding.COPY: Cause.COPIES,
    Coding.HIT: Cause.PREDICTED,
}


def sum_of_codings(rows: Iterable[Row]) -> dict[Coding, float]:
    """What the bits of several rows together were spent on, most first."""
    codings: dict[Coding, float] = defaultdict(float)
    for row in rows:
        for coding, bits in row.coding_bits.items():
            codings[coding] += bits
    return _sorted_codings(codings)


def _sorted_codings(bits: dict[Coding, float]) -> dict[Coding, float]:
    return dict(sorted(bits.items(), key=lambda item: (-item[1], item[0])))


def _by_cost(rows: Iterable[Row]) -> list[Row]:
    return sorted(rows, key=lambda row: (-row.bits, row.name, row.object_file, row.section))


def _object_or_name(row: Row) -> str:
    return row.object_file or row.section or row.name


def _section_or_name(row: Row) -> str:
    return row.section or row.name


def _sum_of(name: str, rows: list[Row], by: Grouping) -> Row:
    codings = sum_of_codings(rows)
    return Row(
        name,
        name if by is Grouping.OBJECT and any(row.object_file for row in rows) else "",
        name if by is Grouping.SECTION and any(row.section for row in rows) else "",
        min((row.offset for row in rows if row.offset is not None), default=None),
        sum(row.size for row in rows),
        sum(row.bits for row in rows),
        codings,
        rows[0].change if len(rows) == 1 else None,
    )


def _hints(
    patch_size: int,
    rows: list[Row],
    shares: list[Share],
    comparison: Comparison | None,
    base: Program | None,
    target: Program,
    is_full: bool,
) -> Iterator[str]:
    bits = {share.cause: share.bits for share in shares}
    if comparison is not None and base is not None:
        yield from _moved_hint(8 * patch_size, bits.get(Cause.REFERENCES, 0.0), comparison, base, target)
    for row in [row for row in rows if _looks_random(row)][: 0 if is_full else _NAMES_SAID]:
        yield (
            f"{row.name} takes {byte_text(row.bits)} for its {row.size:,}: data that is compressed or random already "
            "costs its whole size each time that it changes."
        )
    if bits.get(Cause.TAIL, 0.0) >= _TAIL_WORTH_SAYING * 8 * patch_size:
        yield (
            f"Signatures and ids take {byte_text(bits[Cause.TAIL])} of {patch_size:,}: they are new in every release, "
            "so there is little left to save."
        )
    if not target.is_named:
        yield "With --target-elf and --base-elf the rows are functions, and say which of them changed and which moved."


def _looks_random(row: Row) -> bool:
    plain = row.coding_bits.get(Coding.LITERAL, 0.0) + row.coding_bits.get(Coding.MISS, 0.0)
    return row.size >= _PLAIN_SIZE and bool(row.section) and plain >= _PLAIN_BITS_PER_BYTE * row.size


def _moved_hint(
    patch_bits: float, cost: float, comparison: Comparison, base: Program, target: Program
) -> Iterator[str]:
    unchanged = [change for change in comparison.changes.values() if not change.fate.is_changed]
    shifts = Counter(change.moved for change in unchanged if change.moved)
    moved = shifts.total()
    if moved < _MOVED_WORTH_SAYING * len(unchanged) or cost < _MOVED_COST_WORTH_SAYING * patch_bits or not moved:
        return
    shift, count = min(shifts.items(), key=lambda item: (-item[1], abs(item[0]), item[0]))
    text = (
        f"{moved:,} of {len(unchanged):,} unchanged functions and objects moved ({count:,} of them by {shift:+,} bytes)"
    )
    sections = [
        f"{name} by {addr - base.sections[name]:+,}"
        for name, addr in target.sections.items()
        if name in base.sections and addr != base.sections[name]
    ]
    if sections:
        text += f"; sections moved, too: {', '.join(sections)}"
    yield (
        f"{text}. References to them take {byte_text(cost)}: keep the layout of the last release "
        "(muster build --keep-layout)."
    )
