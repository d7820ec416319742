# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from muster.errors import RelocationError
from muster.image.reloc import RelocationTable
from muster.layout import SLOT_OFFSET, Slot
from muster.status import OtaStatus
from tests.vectors.reading import Case, cases


@st.composite
def tables(draw: st.DrawFn) -> RelocationTable:
    reloc_start = 4 * draw(st.integers(0, 5000))
    words = draw(st.sets(st.integers(0, max(reloc_start // 4 - 1, 0)), max_size=200)) if reloc_start else set()
    return RelocationTable.from_words([4 * word for word in words], reloc_start)


@pytest.mark.parametrize("case", cases("image/relocation.json"), ids=lambda case: case["name"])
def test_golden_table(case: Case) -> None:
    raw = bytes.fromhex(case["table"])
    if case["status"] == 0:
        table = RelocationTable.from_bytes(raw, case["reloc_start"])
        assert list(table.words) == case["words"]
        assert table.to_bytes() == raw
    else:
        with pytest.raises(RelocationError) as refused:
            RelocationTable.from_bytes(raw, case["reloc_start"])
        assert refused.value.status is OtaStatus.ERR_RELOC


@given(tables())
def test_every_table_survives_its_encoding(table: RelocationTable) -> None:
    raw = table.to_bytes()
    assert len(raw) % 4 == 0
    assert RelocationTable.from_bytes(raw, table.reloc_start) == table


@given(st.binary(max_size=64), st.integers(0, 0x3000))
def test_bytes_parse_to_a_table_that_encodes_to_them_or_are_refused(raw: bytes, reloc_start: int) -> None:
    try:
        table = RelocationTable.from_bytes(raw, reloc_start)
    except RelocationError:
        return
    assert table.to_bytes() == raw


@given(tables(), st.data())
def test_flipped_byte_is_refused_or_another_table(table: RelocationTable, data: st.DataObject) -> None:
    raw = bytearray(table.to_bytes())
    at = data.draw(st.integers(0, len(raw) - 1))
    raw[at] ^= data.draw(st.integers(1, 255))
    try:
        parsed = RelocationTable.from_bytes(bytes(raw), table.reloc_start)
    except RelocationError:
        return
    assert parsed.words != table.words
    assert parsed.to_bytes() == bytes(raw)


@given(tables(), st.randoms(use_true_random=False))
def test_undo_is_the_inverse_of_apply(table: RelocationTable, random: object) -> None:
    body = bytes((at * 131) & 0xFF for at in range(table.reloc_start + 8))
    installed = table.apply(body, Slot.B)
    assert table.undo(installed, Slot.B) == body
    assert table.apply(body, Slot.A) == body
    for at in range(0, table.reloc_start + 8, 4):
        raised = int.from_bytes(installed[at : at + 4], "little") - int.from_bytes(body[at : at + 4], "little")
        assert raised % 2**32 == (SLOT_OFFSET if at in table.words else 0)


def test_relocation_is_modulo_2_to_32() -> None:
    table = RelocationTable.from_words([0], 4)
    assert table.apply(b"\xff\xff\xff\xff", Slot.B) == (SLOT_OFFSET - 1).to_bytes(4, "little")


@pytest.mark.parametrize(
    ("words", "reloc_start"),
    [([2], 0x400), ([0x400], 0x400), ([0x3FE], 0x400), ([-4], 0x400), ([0], 0x3FE)],
)
def test_words_that_cannot_be_written_are_refused(words: list[int], reloc_start: int) -> None:
    with pytest.raises(RelocationError):
        RelocationTable.from_words(words, reloc_start)


def test_words_out_of_order_are_refused() -> None:
    with pytest.raises(RelocationError):
        RelocationTable(0x400, (8, 4))
    with pytest.raises(RelocationError):
        RelocationTable(0x400, (4, 4))


def test_table_longer_than_65535_bytes_is_refused() -> None:
    reloc_start = 0x5_0000
    with pytest.raises(RelocationError, match="longer than"):
        RelocationTable.from_words(range(0, reloc_start, 4), reloc_start)


def test_body_that_does_not_reach_the_table_is_refused() -> None:
    with pytest.raises(RelocationError):
        RelocationTable.from_words([0], 8).apply(bytes(4), Slot.B)
