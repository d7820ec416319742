# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from dataclasses import replace

import pytest

from muster.build.driver import source_root
from muster.build.kept_layout import KeptLayout, PlacedInput
from muster.build.link_inputs import InputSection, LinkInputs
from muster.build.mapfile import LinkMap, MapSection
from muster.errors import LinkError
from muster.layout import SLOT_A_ADDR
from muster.platforms import load_platform

PHOTON = load_platform(source_root(), "photon")
RAM = PHOTON.ram.addr
TEXT = SLOT_A_ADDR + 0x19C

Sizes = dict[str, int]

SIZES: Sizes = {
    ".text.first": 40,
    ".text.second": 100,
    ".text.third": 12_000,
    ".rodata.table": 64,
    ".rodata.third.str1.1": 21,
    ".data.speed": 4,
    ".bss.count": 4,
    ".bss.ring": 256,
}


def linked(sizes: Sizes) -> LinkInputs:
    """A link that keeps nothing: one section behind another; .data is stored behind .rodata."""
    outputs = {".vectors": (SLOT_A_ADDR, 0x184)}
    sections = []
    at = TEXT
    for output in (".text", ".rodata", ".data", ".bss", ".noinit"):
        at = RAM if output == ".data" else at
        start = at
        for name, size in sizes.items():
            if name.startswith(output + "."):
                alignment = 1 if "str1" in name else 4
                at = -(-at // alignment) * alignment
                sections.append(InputSection(output, name, "main.o", at, size, alignment, "str1" in name))
                at += size
        at = -(-at // 4) * 4
        outputs[output] = (start, at - start)
    return LinkInputs(outputs, tuple(sections))


def map_of(link: LinkInputs) -> LinkMap:
    start, size = link.outputs[".rodata"]
    sections = tuple(MapSection(one.output, one.name, one.object_file, one.addr, one.size) for one in link.sections)
    return LinkMap(link.outputs, {".data": start + size}, sections)


def map_of_kept(kept: KeptLayout, link: LinkInputs) -> LinkMap:
    """What the linker's map says when it has followed a layout."""
    starts = {
        ".text": TEXT,
        ".rodata": TEXT + kept.text_size,
        ".tail": SLOT_A_ADDR + kept.tail_start,
        ".data": RAM,
        ".bss": kept.bss_addr,
    }
    sizes = {one.name: one.size for one in link.sections}
    outputs = {**link.outputs, ".noinit": (kept.noinit_addr, 0)}
    sections = []
    for output, start in starts.items():
        end = start
        for placed in getattr(kept, output[1:]):
            addr = start + placed.offset
            sections.append(MapSection(output, placed.name, placed.object_file, addr, sizes[placed.name]))
            end = addr + sizes[placed.name]
        outputs[output] = (start, end - start)
    return LinkMap(outputs, {".data": SLOT_A_ADDR + kept.data_load}, tuple(sections))


def kept(new: Sizes, old: Sizes = SIZES, slack_percent: float = 5.0) -> KeptLayout:
    return KeptLayout.plan(map_of(linked(old)), linked(new), PHOTON, slack_percent)


def moved(layout: KeptLayout) -> list[str]:
    return [change.name for change in layout.report.changes]


def test_same_program_stays_where_it_is_and_costs_nothing() -> None:
    layout = kept(SIZES)
    assert (layout.report.in_place, layout.report.flash_extra, layout.report.ram_extra) == (len(SIZES), 0, 0)
    assert layout.text == (
        PlacedInput("main.o", ".text.first", 0),
        PlacedInput("main.o", ".text.second", 40),
        PlacedInput("main.o", ".text.third", 140),
    )
    assert layout.tail == ()


def test_function_that_grows_does_not_move_the_constants() -> None:
    layout = kept({**SIZES, ".text.second": 120})
    assert moved(layout) == [".text.second"]
    assert [one.name for one in layout.tail] == [".text.second"]
    # It lies behind the content of .data, which stays as well.
    assert layout.data_load == kept(SIZES).data_load
    assert layout.tail_start == layout.data_load + 4


def test_string_that_grows_stays_with_the_others_and_moves_the_content_of_data() -> None:
    layout = kept({**SIZES, ".rodata.table": 60, ".rodata.third.str1.1": 30, ".rodata.new": 8})
    assert layout.tail == ()
    assert layout.data_load > kept(SIZES).data_load
    # The string is the last of all: it grows in its place.
    assert moved(layout) == [".rodata.new"]


def test_release_after_the_next_keeps_what_the_next_one_moved() -> None:
    second = linked({**SIZES, ".text.second": 120})
    first_plan = KeptLayout.plan(map_of(linked(SIZES)), second, PHOTON, 5.0)
    again = KeptLayout.plan(map_of_kept(first_plan, second), second, PHOTON, 5.0)
    assert again.report.in_place == len(SIZES)
    assert replace(again, report=first_plan.report) == first_plan


def test_data_that_grows_moves_no_variable_but_those_in_its_way() -> None:
    layout = kept({**SIZES, ".data.limit": 4})
    assert moved(layout) == [".data.limit", ".bss.count"]
    assert layout.bss_addr == RAM + 8


def test_removed_function_leaves_a_hole() -> None:
    layout = kept({name: size for name, size in SIZES.items() if name != ".text.second"})
    assert (layout.report.gone, moved(layout)) == (1, [])
    assert layout.report.flash_extra == 100


def test_too_large_a_cost_in_flash_turns_it_off_and_says_so() -> None:
    layout = kept({name: size for name, size in SIZES.items() if name != ".text.third"})
    assert layout.report.refusal.startswith("it would take 12,000 bytes of flash more (")
    assert layout.report.refusal.endswith("above 5 %")
    assert "not kept" in layout.report.summary


def test_too_large_a_cost_in_ram_turns_it_off_and_says_so() -> None:
    old = {**SIZES, ".bss.big": 60_000, ".bss.small": 4}
    layout = kept({**SIZES, ".bss.small": 4}, old)
    assert "60,000 bytes of RAM more" in layout.report.refusal


def test_old_holes_are_filled_before_it_is_turned_off() -> None:
    old_map = map_of(linked({**SIZES, ".text.second": 600}))
    # The last release has a hole of 500 bytes already.
    old_map = replace(
        old_map,
        sections=tuple(
            replace(section, size=100) if section.name == ".text.second" else section for section in old_map.sections
        ),
    )
    new = linked({**SIZES, ".text.new": 480})
    tight, loose = (KeptLayout.plan(old_map, new, PHOTON, percent) for percent in (0.5, 5.0))
    assert [".text.new" in [one.name for one in layout.text] for layout in (tight, loose)] == [True, False]


def test_program_near_its_budget_is_linked_freely() -> None:
    budget = replace(PHOTON.firmware_budget, flash_bytes=13_000)
    small = replace(PHOTON, firmware_budget=budget)
    layout = KeptLayout.plan(map_of(linked(SIZES)), linked({**SIZES, ".text.first": 44}), small, 5.0)
    assert layout.report.refusal == "the image would come near its budget of 13,000 bytes"


def test_reserved_gaps_let_the_next_release_grow_in_place() -> None:
    sizes = {f".text.f{number:03}": 400 for number in range(60)} | {".rodata.table": 64}
    link = linked(sizes)
    first = KeptLayout.reserve(link, PHOTON, 2.0)
    assert first.report.is_kept
    assert 0.015 < first.report.flash_extra / first.report.flash_bytes < 0.021
    second = KeptLayout.plan(map_of_kept(first, link), linked({**sizes, ".text.f030": 416}), PHOTON, 3.0)
    assert 0 < len(moved(second)) < 5
    assert second.tail == ()


def test_layout_comes_back_from_json() -> None:
    layout = kept({**SIZES, ".text.second": 120})
    assert KeptLayout.from_json(layout.to_json()) == layout


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"report": {}}'])
def test_what_is_no_layout_is_refused(text: str) -> None:
    with pytest.raises(LinkError, match="not a kept layout"):
        KeptLayout.from_json(text)


def test_report_names_what_moved() -> None:
    text = kept({**SIZES, ".text.second": 120}).report.to_text()
    assert text.startswith("layout kept: 7 of 8 sections in place; flash +100 bytes (+0.8%), RAM +0 bytes (+0.0%)\n")
    assert f"0x{TEXT + 40:08X}  0x" in text
    assert "    120     +20  .text.second main.o\n" in text


def test_link_that_followed_the_layout_is_accepted_and_another_is_not() -> None:
    new = linked({**SIZES, ".text.second": 120})
    layout = KeptLayout.plan(map_of(linked(SIZES)), new, PHOTON, 5.0)
    layout.check(map_of_kept(layout, new))
    with pytest.raises(LinkError, match=r"did not keep the layout: \.text\.third of main\.o"):
        layout.check(map_of(new))


def test_map_of_another_program_is_refused() -> None:
    good = map_of(linked(SIZES))
    without = {name: place for name, place in good.outputs.items() if name != ".noinit"}
    elsewhere = {**good.outputs, ".vectors": (SLOT_A_ADDR + 4, 0x184)}
    overlapping = (*good.sections, replace(good.sections[0], name=".text.other"))
    for bad, told in (
        (replace(good, outputs=without), "no section .noinit"),
        (replace(good, outputs=elsewhere), "no map of a link at slot A"),
        (replace(good, sections=overlapping), "lie over each other"),
    ):
        with pytest.raises(LinkError, match=told):
            KeptLayout.plan(bad, linked(SIZES), PHOTON, 5.0)


@pytest.mark.parametrize(
    ("object_file", "pattern"),
    [
        ("build/a/b/main.o", '"build/a/b/main.o"(".text.f")'),
        ("libc_nano.a(lib_a-memcpy.o)", '"*libc_nano.a:lib_a-memcpy.o"(".text.f")'),
    ],
)
def test_script_names_objects_and_members_of_libraries(object_file: str, pattern: str) -> None:
    assert PlacedInput(object_file, ".text.f", 0).pattern == pattern
