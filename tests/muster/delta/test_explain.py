# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from muster.delta import PatchHeader
from muster.delta.compare import Fate
from muster.delta.explain import (
    HEADER_ROW,
    MAP_ROW,
    OTHER_ROW,
    TABLE_ROW,
    Cause,
    Explanation,
    Grouping,
    byte_text,
    explain,
)
from muster.delta.program import Part, PartKind, Program
from muster.delta.trace import Coding, Spent, Trace
from muster.layout import SLOT_A_ADDR
from tests.muster.delta.explained import HEADER_BYTES, hand_made_trace, header_of, patch_size, releases


@pytest.fixture(scope="module")
def explanation() -> Explanation:
    old, new = releases()
    trace = hand_made_trace(old, new)
    return explain(trace, patch_size(trace), new.program(), old.program())


@pytest.fixture(scope="module")
def header() -> PatchHeader:
    return header_of(*(release.image for release in releases()))


def _bits(found: Explanation, name: str) -> float:
    return next(row.bits for row in found.rows if row.name == name)


def test_rows_say_what_each_function_costs(explanation: Explanation) -> None:
    assert explanation.rows[0].name == HEADER_ROW
    added = explanation.rows[1]
    assert (added.name, added.object_file, added.bits) == ("added", "explained.o", 200.0)
    assert added.coding_bits == {Coding.LITERAL: 200.0}
    assert added.change is not None
    assert added.change.fate is Fate.NEW
    assert _bits(explanation, "grew") == 100.0
    assert _bits(explanation, MAP_ROW) == 24.0
    assert _bits(explanation, TABLE_ROW) == 40.0


def test_copy_counts_where_it_begins_and_hits_are_shared_out(explanation: Explanation) -> None:
    vectors = next(row for row in explanation.rows if row.name == "vectors")
    assert vectors.coding_bits[Coding.COPY] == 12.0
    assert vectors.coding_bits[Coding.HIT] == pytest.approx(3.0 * 388 / 420)
    assert Coding.COPY not in next(row for row in explanation.rows if row.name == "first_same").coding_bits


def test_shares_tell_new_from_changed_from_moved(explanation: Explanation) -> None:
    bits = {share.cause: share.bits for share in explanation.shares}
    assert bits[Cause.NEW] == 200.0
    assert bits[Cause.CHANGED] == 100.0
    assert bits[Cause.REFERENCES] == 30.0
    assert bits[Cause.TAIL] == 64.0
    assert bits[Cause.HEADER] == 8 * HEADER_BYTES
    assert sum(bits.values()) == pytest.approx(8 * explanation.patch_size)
    assert [part.name for part in explanation.removed] == ["gone"]


def test_summary_is_sentences_largest_first(explanation: Explanation) -> None:
    size = explanation.patch_size
    lines = explanation.summary()
    assert lines[0].startswith(f"The patch has {size} bytes, ")
    assert lines[2] == f"{200 / (8 * size):.0%} (25 bytes) is new code and data: added (25 bytes).".replace("%", " %")
    assert any("is changed code and data: grew (12.5 bytes)." in line for line in lines)


def test_moved_layout_is_hinted_at_only_where_it_costs(header: PatchHeader) -> None:
    old, new = (release.program() for release in releases())
    added = next(part for part in new.parts if part.name == "added")

    def hints(branch_bits: float) -> tuple[str, ...]:
        spent = (
            Spent(added.offset, added.size, 800.0, Coding.LITERAL),
            Spent(added.end + 60, 4, branch_bits, Coding.BRANCH),
        )
        return explain(Trace(header, HEADER_BYTES, spent, ()), 200, new, old).hints

    assert any("unchanged functions and objects moved" in hint and "--keep-layout" in hint for hint in hints(400.0))
    assert hints(20.0) == ()


def test_random_data_is_hinted_at(header: PatchHeader) -> None:
    parts = (
        Part(0, 400, "f", PartKind.FUNCTION, "a.o", ".text"),
        Part(400, 600, "key", PartKind.OBJECT, "b.o", ".text"),
    )
    program = Program(bytes(1000), 0, parts, is_named=True)
    spent = [Spent(0, 400, 2000.0, Coding.LITERAL), Spent(400, 600, 4790.0, Coding.LITERAL)]
    found = explain(Trace(header, HEADER_BYTES, tuple(spent), ()), 900, program)
    assert [hint.split()[0] for hint in found.hints] == ["key"]


def test_patch_of_signatures_is_hinted_at(header: PatchHeader) -> None:
    new = releases()[1]
    spent = (Spent(new.area.start, len(new.area), 600.0, Coding.TAIL),)
    found = explain(Trace(header, HEADER_BYTES, spent, ()), 110, new.program())
    assert [hint.split(" take")[0] for hint in found.hints] == ["Signatures and ids"]


def test_without_elf_files_codings_are_the_causes() -> None:
    old, new = releases()
    trace = hand_made_trace(old, new)
    found = explain(trace, patch_size(trace), Program.from_image(new.image, SLOT_A_ADDR))
    bits = {share.cause: share.bits for share in found.shares}
    assert (bits[Cause.NEW], bits[Cause.CHANGED], bits[Cause.REFERENCES]) == (200.0, 100.0, 30.0)
    assert found.hints[-1].startswith("With --target-elf")
    assert all(row.change is None for row in found.rows)


@pytest.mark.parametrize("by", list(Grouping))
def test_groups_add_up_to_the_patch(explanation: Explanation, by: Grouping) -> None:
    rows = explanation.grouped(by)
    assert sum(row.bits for row in rows) == pytest.approx(8 * explanation.patch_size)
    assert rows == sorted(rows, key=lambda row: -row.bits)
    assert len({(row.name, row.object_file, row.section) for row in rows}) == len(rows)


def test_object_files_and_sections_are_sums(explanation: Explanation) -> None:
    by_object = {row.name: row for row in explanation.grouped(Grouping.OBJECT)}
    assert by_object["explained.o"].bits == pytest.approx(200 + 100 + 30 + 12 + 3, abs=0.3)
    assert by_object["explained.o"].change is None
    by_section = {row.name: row for row in explanation.grouped(Grouping.SECTION)}
    assert by_section[".text"].coding_bits[Coding.LITERAL] == 200.0


_SPENT = st.builds(
    Spent,
    st.integers(0, 99),
    st.integers(0, 200),
    st.floats(0, 1000),
    st.sampled_from(list(Coding)),
).map(lambda spent: replace(spent, length=min(spent.length, 100 - spent.offset)))


@given(st.lists(_SPENT, max_size=20))
def test_every_bit_is_in_exactly_one_row_and_has_one_cause(spent: list[Spent]) -> None:
    parts = (Part(0, 30, "f", PartKind.FUNCTION), Part(30, 60, "g", PartKind.OBJECT), Part(90, 10, "t", PartKind.TAIL))
    program = Program(bytes(100), 0, parts, is_named=True)
    size = HEADER_BYTES + int(sum(item.bits for item in spent) / 8) + 2
    trace = Trace(header_of(*(release.image for release in releases())), HEADER_BYTES, tuple(spent), ())
    found = explain(trace, size, program, program)
    assert sum(row.bits for row in found.rows) == pytest.approx(8 * size)
    assert sum(share.bits for share in found.shares) == pytest.approx(8 * size)
    assert all(
        sum(row.coding_bits.values()) == pytest.approx(row.bits)
        for row in found.rows
        if row.name not in (HEADER_ROW, OTHER_ROW)
    )


@pytest.mark.parametrize(
    ("bits", "text"), [(4, "0.5 bytes"), (100, "12.5 bytes"), (163, "20 bytes"), (80_000, "10,000 bytes")]
)
def test_bytes_are_as_exact_as_one_reads_them(bits: float, text: str) -> None:
    assert byte_text(bits) == text
