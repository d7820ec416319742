# SPDX-License-Identifier: Apache-2.0
"""Keeps the layout of the last release: code that did not move costs a patch nothing."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from itertools import pairwise

from muster.build.link_inputs import InputSection, LinkInputs
from muster.build.mapfile import LinkMap, MapSection
from muster.build.placement import NOWHERE, Piece, Span, align_up, place, spread
from muster.build.section_match import match_sections
from muster.errors import LinkError
from muster.layout import SLOT_A_ADDR, TAIL_SIZE
from muster.platforms import Platform

SLACK_PERCENT = 2.0
"""What keeping the layout may cost, in per cent of the program's flash, and of its RAM, when nothing else is said."""

_FLASH = (".text", ".rodata")
_TAIL = ".tail"
_ANY_PERCENT = 100.0
_PLACED = (*_FLASH, _TAIL, ".data", ".bss")
_START = ".vectors"
_RELOCATION_PERCENT = 2
"""More than a relocation table takes (1.0 % of an image of 427 KB): keeping must not make the image too long."""


@dataclass(frozen=True, slots=True)
class PlacedInput:
    """An input section with its offset in the section of the program that it goes to."""

    object_file: str
    name: str
    offset: int

    @property
    def pattern(self) -> str:
        """As a linker script names it."""
        if self.object_file.endswith(")"):
            archive, _, member = self.object_file[:-1].rpartition("(")
            return f'"*{archive}:{member}"("{self.name}")'
        return f'"{self.object_file}"("{self.name}")'


@dataclass(frozen=True, slots=True)
class Change:
    """A section that is not where it was: `old` is None where it is new. Addresses of slot A, sizes in bytes."""

    name: str
    object_file: str
    old: int | None
    new: int
    old_size: int
    size: int


@dataclass(frozen=True, slots=True)
class LayoutReport:
    """What keeping the layout achieves and costs, in bytes.

    Attributes:
        refusal: why the program is linked as if there were no last release; empty when its layout is kept.
        in_place: sections that are where they were.
        gone: sections of the last release that are no more.
        flash_extra, ram_extra: what the program takes more than when it is linked freely, negative when less.
        flash_bytes, ram_bytes: what it takes when it is linked freely.
        changes: sections that moved, and new ones, by address.
        is_first: there is no last release; gaps are reserved for the next ones.
    """

    refusal: str
    sections: int
    in_place: int
    gone: int
    flash_extra: int
    flash_bytes: int
    ram_extra: int
    ram_bytes: int
    changes: tuple[Change, ...]
    is_first: bool = False

    @property
    def is_kept(self) -> bool:
        return not self.refusal

    @property
    def summary(self) -> str:
        """One line."""
        if self.refusal:
            return f"not kept: {self.refusal}"
        what = f"kept: {self.in_place:,} of {self.sections:,} sections in place"
        if self.is_first:
            what = "with gaps for later releases"
        costs = f"flash {_cost(self.flash_extra, self.flash_bytes)}, RAM {_cost(self.ram_extra, self.ram_bytes)}"
        return f"{what}; {costs}"

    def to_text(self) -> str:
        """The summary and what moved."""
        lines = [f"layout {self.summary}", ""]
        lines += [f"{'was at':>10}  {'is at':>10}  {'bytes':>7}  {'more':>6}"]
        for change in self.changes:
            was = "new" if change.old is None else f"0x{change.old:08X}"
            more = "" if change.old is None else f"{change.size - change.old_size:+,}"
            where = f"0x{change.new:08X}"
            lines.append(f"{was:>10}  {where}  {change.size:7,}  {more:>6}  {change.name} {change.object_file}")
        return "\n".join(lines) + "\n"


@dataclass(frozen=True, slots=True)
class KeptLayout:
    """What a linker script needs to put every section where it belongs.

    Attributes:
        text, rodata, tail, data, bss: the input sections of each section of the program, rising. The tail is what lies
            behind the content of .data; its string sections would no longer be merged with those of .rodata.
        text_size: bytes from the start of .text to that of .rodata.
        data_load, tail_start: bytes from the start of the slot to the content of .data, and to the tail.
        bss_addr, noinit_addr: addresses in RAM.
    """

    report: LayoutReport
    text: tuple[PlacedInput, ...]
    rodata: tuple[PlacedInput, ...]
    tail: tuple[PlacedInput, ...]
    data: tuple[PlacedInput, ...]
    bss: tuple[PlacedInput, ...]
    text_size: int
    data_load: int
    tail_start: int
    bss_addr: int
    noinit_addr: int

    @classmethod
    def reserve(cls, new: LinkInputs, platform: Platform, reserve_percent: float) -> KeptLayout:
        """Lays a program out for later releases that keep its layout: in the linker's own order, with gaps in flash.

        Raises:
            LinkError: `new` is not a link of a firmware at slot A.
        """
        _check(new.outputs, new.sections)
        kept = _Planner(_spread_out(new, reserve_percent), new, False, True).plan(platform, _ANY_PERCENT)
        return replace(kept, report=replace(kept.report, is_first=True, changes=()))

    @classmethod
    def plan(cls, old: LinkMap, new: LinkInputs, platform: Platform, slack_percent: float) -> KeptLayout:
        """Keeps what can be kept: without touching old holes, and with them where that costs too much; each time with
        the content of .data where it was, and behind everything else where that cannot be.

        Args:
            old: the map of the last release, of the link at slot A.
            new: the inputs of a link that keeps nothing, at slot A.
            slack_percent: of flash, and of RAM, that keeping may cost.

        Raises:
            LinkError: one of them is not a link of a firmware at slot A.
        """
        _check(old.outputs, old.sections)
        _check(new.outputs, new.sections)
        for fill_holes in (False, True):
            for data_stays in (True, False):
                kept = _Planner(old, new, fill_holes, data_stays).plan(platform, slack_percent)
                if kept.report.is_kept:
                    return kept
        return kept

    def check(self, link: LinkMap) -> None:
        """Holds a link that used this layout, at any slot, against it.

        Raises:
            LinkError: a section is not where it was to go.
        """
        if not self.report.is_kept:
            return
        addrs = {(section.object_file, section.name): section.addr for section in reversed(link.sections)}
        for output in _PLACED:
            start, _ = link.outputs.get(output, (0, 0))
            for placed in getattr(self, output[1:]):
                if addrs.get((placed.object_file, placed.name)) != start + placed.offset:
                    raise LinkError(
                        f"the linker did not keep the layout: {placed.name} of {placed.object_file} is not at "
                        f"0x{start + placed.offset:08X}"
                    )

    def to_json(self) -> str:
        return json.dumps(asdict(self), indent=1) + "\n"

    @classmethod
    def from_json(cls, text: str) -> KeptLayout:
        """Reads back what `to_json` wrote.

        Raises:
            LinkError: it is something else.
        """
        try:
            facts = json.loads(text)
            report = facts.pop("report")
            report["changes"] = tuple(Change(**change) for change in report["changes"])
            for name in ("text", "rodata", "tail", "data", "bss"):
                facts[name] = tuple(PlacedInput(**placed) for placed in facts[name])
            return cls(report=LayoutReport(**report), **facts)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise LinkError(f"not a kept layout: {error}") from error


def _cost(extra: int, whole: int) -> str:
    return f"{extra:+,} bytes ({extra / whole:+.1%})" if whole else f"{extra:+,} bytes"


def _check(outputs: dict[str, tuple[int, int]], sections: Sequence[MapSection | InputSection]) -> None:
    for name in (_START, *_FLASH, ".data", ".bss", ".noinit"):
        if name not in outputs:
            raise LinkError(f"this is no map of a firmware: it has no section {name}")
    if outputs[_START][0] != SLOT_A_ADDR:
        raise LinkError(f"this is no map of a link at slot A: it begins at 0x{outputs[_START][0]:08X}")
    rising = sorted((section.addr, section.size, section.name) for section in sections if section.output in _PLACED)
    for (addr, size, name), (next_addr, _, next_name) in pairwise(rising):
        if addr + size > next_addr:
            raise LinkError(f"this map is damaged: {name} and {next_name} lie over each other")


def _spread_out(new: LinkInputs, reserve_percent: float) -> LinkMap:
    """The map that the release before would have had, had it had gaps."""
    outputs = dict(new.outputs)
    sections: list[MapSection] = []
    end = outputs[".text"][0]
    for output in _FLASH:
        inputs = [(at, section) for at, section in enumerate(new.sections) if section.output == output]
        start = align_up(end, max((section.alignment for _, section in inputs), default=1))
        pieces = [Piece(at, section.size, section.alignment, start) for at, section in inputs]
        addrs = spread(pieces, start, reserve_percent)
        for at, section in inputs:
            sections.append(MapSection(output, section.name, section.object_file, addrs[at], section.size))
        end = align_up(max((section.end for section in sections), default=start), 4)
        outputs[output] = (start, end - start)
    for section in new.sections:
        if section.output not in _FLASH:
            sections.append(MapSection(section.output, section.name, section.object_file, section.addr, section.size))
    return LinkMap(outputs, {".data": end}, tuple(sections))


class _Planner:
    """One try."""

    def __init__(self, old: LinkMap, new: LinkInputs, fill_holes: bool, data_stays: bool) -> None:
        self._old = old
        self._new = new
        self._fill_holes = fill_holes
        self._data_stays = data_stays
        self._addrs: dict[int, int] = {}
        self._was: dict[int, MapSection] = {}
        self._gone = 0

    def plan(self, platform: Platform, slack_percent: float) -> KeptLayout:
        outputs = self._new.outputs
        data_addr = outputs[".data"][0]
        data_end = align_up(self._place((".data",), {".data": data_addr}, data_addr), 4)
        bss_addr = self._start_of(".bss", data_end)
        bss_end = align_up(self._place((".bss",), {".bss": bss_addr}, bss_addr), 4)
        noinit_addr = self._start_of(".noinit", bss_end) if outputs[".noinit"][1] else bss_end

        text_addr = outputs[".text"][0]
        alignment = max((section.alignment for _, section in self._inputs(*_FLASH)), default=1)
        rodata_addr = align_up(max(self._old.outputs[".rodata"][0], text_addr), alignment)
        load = Span(self._old.loads.get(".data", 0), 0)
        load = Span(load.start, align_up(load.start + data_end - data_addr, alignment))
        content = load if self._data_stays and self._may_load_at(load, rodata_addr) else None
        flash_end = self._place(_FLASH, {".text": text_addr, ".rodata": rodata_addr}, rodata_addr, content)
        flash_end = align_up(max(flash_end, rodata_addr), 4)
        if content is None:
            content = Span(flash_end, flash_end + data_end - data_addr)
        tail_addr = content.end

        flash_bytes = outputs[".rodata"][0] + outputs[".rodata"][1] + outputs[".data"][1] - SLOT_A_ADDR
        flash_kept = max(flash_end, content.start + data_end - data_addr) - SLOT_A_ADDR
        ram_bytes = outputs[".noinit"][0] + outputs[".noinit"][1] - data_addr
        ram_kept = noinit_addr + outputs[".noinit"][1] - data_addr
        refusals = [
            _too_much("flash", flash_kept - flash_bytes, flash_bytes, slack_percent),
            _too_much("RAM", ram_kept - ram_bytes, ram_bytes, slack_percent),
            _too_long(flash_kept, flash_bytes, platform),
            _too_large(ram_kept, platform),
            self._too_far(content),
        ]
        return KeptLayout(
            report=LayoutReport(
                refusal=next((refusal for refusal in refusals if refusal), ""),
                sections=len(self._addrs),
                in_place=sum(self._addrs[at] == was.addr for at, was in self._was.items()),
                gone=self._gone,
                flash_extra=flash_kept - flash_bytes,
                flash_bytes=flash_bytes,
                ram_extra=ram_kept - ram_bytes,
                ram_bytes=ram_bytes,
                changes=self._changes(),
            ),
            text=self._placed(_FLASH, text_addr, rodata_addr),
            rodata=self._placed(_FLASH, rodata_addr, content.start),
            tail=self._placed(_FLASH, tail_addr, NOWHERE),
            data=self._placed((".data",), data_addr, data_end),
            bss=self._placed((".bss",), bss_addr, bss_end),
            text_size=rodata_addr - text_addr,
            data_load=content.start - SLOT_A_ADDR,
            tail_start=tail_addr - SLOT_A_ADDR,
            bss_addr=bss_addr,
            noinit_addr=noinit_addr,
        )

    def _may_load_at(self, load: Span, rodata_addr: int) -> bool:
        """Whether the content of .data can stay: nothing of the last release is where it now reaches to."""
        old = [section for section in self._old.sections if section.output in (*_FLASH, _TAIL)]
        overlaps = any(section.addr < load.end and load.start < section.end for section in old)
        return load.size > 0 and load.start >= rodata_addr and load.start % 4 == 0 and not overlaps

    def _too_far(self, content: Span) -> str:
        for at, addr in self._addrs.items():
            if addr >= content.end and self._new.sections[at].output in _FLASH and self._new.sections[at].is_merged:
                return f"the strings of {self._new.sections[at].name} find no room"
        return ""

    def _inputs(self, *outputs: str) -> list[tuple[int, InputSection]]:
        return [(at, section) for at, section in enumerate(self._new.sections) if section.output in outputs]

    def _start_of(self, output: str, lowest: int) -> int:
        """Where a section of RAM begins: where it did, unless what stands before it reaches further."""
        alignment = max((section.alignment for _, section in self._inputs(output)), default=1)
        return align_up(max(lowest, self._old.outputs[output][0]), max(alignment, 4))

    def _place(self, outputs: tuple[str, ...], lowest: dict[str, int], fence: int, content: Span | None = None) -> int:
        """Places the input sections of some output sections, around the content of .data; returns the address behind
        the last.
        """
        new = self._inputs(*outputs)
        old_outputs = (*outputs, _TAIL) if outputs == _FLASH else outputs
        old = [section for section in self._old.sections if section.output in old_outputs]
        found = match_sections([section for _, section in new], old)
        self._was |= {new[number][0]: old[was] for number, was in found.items()}
        self._gone += len(old) - len(found)
        pieces = []
        for at, section in new:
            was = self._was.get(at)
            span = None if was is None else Span(was.addr, was.end)
            highest = content.start if content is not None and section.is_merged else NOWHERE
            pieces.append(Piece(at, section.size, section.alignment, lowest[section.output], span, highest))
        if content is not None:
            pieces.append(Piece(-1, content.size, 1, content.start, content, is_pinned=True))
        start = min(lowest.values())
        was_used = [Span(section.addr, section.end) for section in old]
        addrs = place(pieces, was_used, start, fence, self._fill_holes)
        self._addrs |= {at: addr for at, addr in addrs.items() if at >= 0}
        return max((addrs[at] + section.size for at, section in new), default=start)

    def _placed(self, outputs: tuple[str, ...], start: int, end: int) -> tuple[PlacedInput, ...]:
        here = [(self._addrs[at], section) for at, section in self._inputs(*outputs) if start <= self._addrs[at] < end]
        rising = sorted(here, key=lambda one: one[0])
        return tuple(PlacedInput(section.object_file, section.name, addr - start) for addr, section in rising)

    def _changes(self) -> tuple[Change, ...]:
        found = []
        for at, addr in self._addrs.items():
            section, was = self._new.sections[at], self._was.get(at)
            if was is None or was.addr != addr:
                old, old_size = (None, 0) if was is None else (was.addr, was.size)
                found.append(Change(section.name, section.object_file, old, addr, old_size, section.size))
        return tuple(sorted(found, key=lambda change: change.new))


def _too_much(memory: str, extra: int, whole: int, slack_percent: float) -> str:
    if extra * 100 <= whole * slack_percent:
        return ""
    return f"it would take {extra:,} bytes of {memory} more ({extra / whole:.1%}), above {slack_percent:g} %"


def _too_long(flash_kept: int, flash_free: int, platform: Platform) -> str:
    image = flash_kept + flash_kept * _RELOCATION_PERCENT // 100 + TAIL_SIZE
    budget = platform.firmware_budget.flash_bytes
    if flash_kept <= flash_free or image <= budget:
        return ""
    return f"the image would come near its budget of {budget:,} bytes"


def _too_large(ram_kept: int, platform: Platform) -> str:
    limit = min(platform.firmware_budget.ram_bytes, platform.ram.size - platform.ram.stack)
    return f"data and bss would take {ram_kept:,} bytes of RAM, above {limit:,}" if ram_kept > limit else ""
