# SPDX-License-Identifier: Apache-2.0
"""Held against a second, slower implementation below, which knows nothing of the library's."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.firmware.core.machine import FLASH_ADDR, Machine
from tests.vectors.reading import Case, cases

RELOC_START = 0x184 + 3 * 4096
ERR_RELOC = -14
WORDS = st.sets(st.integers(0, RELOC_START // 4 - 1), max_size=200).map(lambda words: sorted(4 * w for w in words))


def encode(words: list[int], reloc_start: int) -> bytes:
    """The table of docs/spec/image.md section 3, written down as plainly as the page says it."""
    block_count = -(-reloc_start // 4096)
    lists = b""
    offsets = []
    for block in range(block_count):
        offsets.append(2 + 2 * block_count + len(lists))
        last = block * 1024 - 1
        for word in (word // 4 for word in words if word // 4096 == block):
            gap = word - last
            lists += bytes([gap]) if gap < 128 else bytes([gap & 0x7F | 0x80, gap >> 7])
            last = word
    table = block_count.to_bytes(2, "little") + b"".join(off.to_bytes(2, "little") for off in offsets) + lists
    return table + bytes(-len(table) % 4)


def open_table(machine: Machine, table: bytes, reloc_start: int) -> Any:
    """struct ota_reloc over a table that ends where flash ends: reading further fails."""
    addr = FLASH_ADDR + 0x100000 - len(table)
    machine.load(addr, table)
    reloc = machine.new("struct ota_reloc *")
    machine.lib.ota_reloc_init(reloc, machine.flash.read, machine.model, addr, len(table), reloc_start)
    return reloc


def check(machine: Machine, table: bytes, reloc_start: int) -> int:
    status: int = machine.lib.ota_reloc_check(open_table(machine, table, reloc_start))
    return status


def found_words(machine: Machine, reloc: Any, end: int) -> list[int]:
    words: list[int] = []
    word = machine.new("uint32_t *")
    off = 0
    while True:
        assert machine.lib.ota_reloc_find(reloc, off, end, word) == 0
        if word[0] == end:
            return words
        words.append(int(word[0]))
        off = word[0] + 4


@pytest.mark.parametrize("vector", cases("image/relocation.json"), ids=lambda vector: vector["name"])
def test_golden_tables(machine: Machine, vector: Case) -> None:
    table, reloc_start = bytes.fromhex(vector["table"]), vector["reloc_start"]
    assert check(machine, table, reloc_start) == vector["status"]
    if vector["status"] == 0:
        reloc = open_table(machine, table, reloc_start)
        assert found_words(machine, reloc, reloc_start) == vector["words"]


@given(words=WORDS)
def test_words_round_trip(machine: Machine, words: list[int]) -> None:
    table = encode(words, RELOC_START)
    assert check(machine, table, RELOC_START) == 0
    assert found_words(machine, open_table(machine, table, RELOC_START), RELOC_START + len(table)) == words


@given(words=WORDS, questions=st.lists(st.tuples(st.integers(0, RELOC_START), st.integers(0, 6000)), max_size=20))
def test_questions_in_any_order_are_answered_alike(
    machine: Machine, words: list[int], questions: list[tuple[int, int]]
) -> None:
    reloc = open_table(machine, encode(words, RELOC_START), RELOC_START)
    word = machine.new("uint32_t *")
    for off, length in questions:
        end = off + length
        assert machine.lib.ota_reloc_find(reloc, off, end, word) == 0
        assert word[0] == min((each for each in words if off <= each < min(end, RELOC_START)), default=end)


@given(words=WORDS, first=st.integers(0, RELOC_START // 4), length=st.integers(0, 2000), seed=st.binary(max_size=50))
def test_span_is_raised_word_by_word_and_lowered_again(
    machine: Machine, words: list[int], first: int, length: int, seed: bytes
) -> None:
    off, size = 4 * first, 4 * length
    content = (seed + bytes(range(251)) * 40)[:size]
    expected = bytearray(content)
    for word in words:
        if off <= word < off + size:
            value = int.from_bytes(content[word - off : word - off + 4], "little") + 0x60000
            expected[word - off : word - off + 4] = (value % 2**32).to_bytes(4, "little")
    reloc = open_table(machine, encode(words, RELOC_START), RELOC_START)
    buffer = machine.buffer(content)
    assert machine.lib.ota_reloc_span(reloc, off, buffer, size, 0x60000) == 0
    assert bytes(machine.ffi.buffer(buffer, size)) == bytes(expected)
    assert machine.lib.ota_reloc_span(reloc, off, buffer, size, 2**32 - 0x60000) == 0
    assert bytes(machine.ffi.buffer(buffer, size)) == content


@settings(max_examples=300)
@given(words=WORDS, at=st.integers(0, 10_000), change=st.integers(1, 255))
def test_accepted_table_is_the_only_encoding_of_its_words(
    machine: Machine, words: list[int], at: int, change: int
) -> None:
    table = bytearray(encode(words, RELOC_START))
    table[at % len(table)] ^= change
    if check(machine, bytes(table), RELOC_START) == 0:
        found = found_words(machine, open_table(machine, bytes(table), RELOC_START), RELOC_START)
        assert encode(found, RELOC_START) == bytes(table)
        assert found != words


@given(table=st.binary(max_size=64).map(lambda raw: raw[: len(raw) & ~3]), blocks=st.integers(1, 5))
def test_garbage_never_leaves_the_table(machine: Machine, table: bytes, blocks: int) -> None:
    """Behind the table nothing can be read: leaving it would be another error."""
    reloc_start = blocks * 4096 - 400
    status = check(machine, table, reloc_start)
    assert status in (0, ERR_RELOC)
    word = machine.new("uint32_t *")
    reloc = open_table(machine, table, reloc_start)
    for off in range(0, reloc_start, 1024):
        assert machine.lib.ota_reloc_find(reloc, off, reloc_start, word) in (0, ERR_RELOC)


def test_padding_stands_behind_the_last_list_only(machine: Machine) -> None:
    """An empty last list may begin at the table's end; the zero before it is no padding of the list before."""
    assert check(machine, bytes.fromhex("0200 0600 0700 01 00"), 8192) == 0
    assert check(machine, bytes.fromhex("0200 0600 0800 01 00"), 8192) == ERR_RELOC


def test_longest_table_is_accepted_and_one_word_more_is_not(machine: Machine) -> None:
    """Words side by side take one byte each: 65,535 bytes are full before the image is."""
    reloc_start = 0x50000
    head_len = 2 + 2 * (reloc_start // 4096)
    fitting = list(range(0, 4 * (65_532 - head_len), 4))
    table = encode(fitting, reloc_start)
    assert len(table) == 65_532
    assert check(machine, table, reloc_start) == 0
    longer = encode([*fitting, fitting[-1] + 4], reloc_start)
    assert len(longer) == 65_536
    assert check(machine, longer, reloc_start) == ERR_RELOC


def test_rising_walk_reads_the_table_once(machine: Machine) -> None:
    words = list(range(0, RELOC_START, 20))
    table = encode(words, RELOC_START)
    reloc = open_table(machine, table, RELOC_START)
    buffer = machine.buffer(bytes(512))
    machine.model.reads = 0
    for off in range(0, RELOC_START, 512):
        size = min(512, RELOC_START - off)
        assert machine.lib.ota_reloc_span(reloc, off, buffer, size, 0x60000) == 0
    # Each block costs a look at the index, read in windows of 32 bytes.
    assert machine.model.reads <= len(table) + 4 * 4 * 32
