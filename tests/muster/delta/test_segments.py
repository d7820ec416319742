# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import random
import struct
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.muster.delta.segments_library import Segment, SegmentsLibrary


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> SegmentsLibrary:
    return SegmentsLibrary(tmp_path_factory.mktemp("segments"))


def plain_code(length: int, seed: int) -> bytes:
    """Halfwords that are no references: additions and moves of low registers."""
    chosen = random.Random(seed)
    return b"".join(struct.pack("<H", chosen.randrange(0x1800, 0x4000)) for _ in range(length // 2))


def call(at: int, place: int) -> bytes:
    """BL (ARM DDI 0403E, A7.7.18) at image offset `at`, to the image offset `place`."""
    offset = place - (at + 4)
    sign = int(offset < 0)
    j1, j2 = (1 ^ (offset >> 23 & 1) ^ sign), (1 ^ (offset >> 22 & 1) ^ sign)
    first = 0xF000 | sign << 10 | offset >> 12 & 0x3FF
    return struct.pack("<HH", first, 0xD000 | j1 << 13 | j2 << 11 | offset >> 1 & 0x7FF)


def assert_valid(segments: list[Segment], base: bytes, target: bytes) -> None:
    position = 0
    for segment in segments:
        assert segment.target >= position
        assert segment.target % 2 == 0
        assert segment.length > 0
        assert segment.length % 2 == 0
        position = segment.end
        if segment.from_target:
            assert segment.source < segment.target
            assert not segment.in_map
        else:
            assert segment.source + segment.length <= len(base)
    assert position <= len(target)


def copied(segments: list[Segment]) -> int:
    return sum(segment.length for segment in segments)


def test_equal_images_are_one_copy(library: SegmentsLibrary) -> None:
    image = plain_code(4096, 1)
    assert library.find(image, image) == [Segment(0, 4096, 0, False, True)]


def test_what_an_insertion_moved_is_copied_from_where_it_was(library: SegmentsLibrary) -> None:
    base = plain_code(4096, 1)
    target = base[:1000] + plain_code(60, 2) + base[1000:]
    assert library.find(base, target) == [Segment(0, 1000, 0, False, True), Segment(1060, 3096, 1000, False, True)]


def test_what_was_removed_is_left_out(library: SegmentsLibrary) -> None:
    base = plain_code(4096, 1)
    segments = library.find(base, base[:1000] + base[1200:])
    assert [(s.target, s.length, s.source) for s in segments] == [(0, 1000, 0), (1000, 2896, 1200)]


def test_text_moved_by_an_odd_distance_is_copied(library: SegmentsLibrary) -> None:
    text = random.Random(3).randbytes(600)
    base = plain_code(400, 1) + text
    segments = library.find(base, plain_code(400, 1) + b"x" + text)
    assert len(segments) == 2
    assert (segments[1].source - segments[1].target) % 2 == 1
    assert copied(segments) >= 1000 - 8


def test_a_copy_goes_on_over_a_changed_constant(library: SegmentsLibrary) -> None:
    base = plain_code(2048, 1)
    target = bytearray(base)
    target[700] ^= 1
    assert library.find(base, bytes(target)) == [Segment(0, 2048, 0, False, True)]


def test_a_copy_begins_before_the_change_that_hides_its_beginning(library: SegmentsLibrary) -> None:
    """The run behind the change is found first; the few equal bytes before it belong to the same copy."""
    function = plain_code(200, 2)
    changed = bytearray(function)
    changed[6] ^= 1
    base = plain_code(1000, 1) + function + plain_code(1000, 4)
    target = plain_code(300, 5) + bytes(changed) + plain_code(300, 6)
    assert [(s.target, s.source) for s in library.find(base, target) if s.length >= 190] == [(300, 1000)]


def test_of_equal_functions_the_one_whose_call_agrees_is_copied(library: SegmentsLibrary) -> None:
    """Two functions differ only in what they call. The first is gone, and everything behind it moved up."""
    head, body, tail = plain_code(1024, 1), plain_code(64, 2), plain_code(1024, 3)
    call_at, step = len(head) + len(body), len(body) + 4
    base = head + body + call(call_at, 0x40) + body + call(call_at + step, 0x80) + tail
    target = head + body + call(call_at, 0x80) + tail
    copies = [s for s in library.find(base, target) if s.target <= call_at < s.end]
    assert [s.source - s.target for s in copies] == [step]


def test_known_pointers_may_change_freely(library: SegmentsLibrary) -> None:
    """Words below 0x800 are no pointers by their value when the image lies at 0; here the image says that they are."""
    chosen = random.Random(7)
    places = [chosen.randrange(0x100, 0x700) & ~1 for _ in range(64)]
    code = plain_code(2048, 1)
    base = code + struct.pack("<64I", *places)
    target = (
        code[:64]
        + plain_code(8, 2)
        + code[64:]
        + struct.pack("<64I", *(place + 8 + 16 * (i % 7) for i, place in enumerate(places)))
    )
    table, moved = range(2048, 2048 + 256, 4), range(2056, 2056 + 256, 4)
    guessed = library.find(base, target, load_base=0)
    told = library.find(base, target, load_base=0, base_pointers=table, target_pointers=moved)
    assert told[-1] == Segment(72, 2240, 64, False, True)
    assert len(guessed) > len(told)


def test_without_a_base_repetition_is_copied(library: SegmentsLibrary) -> None:
    block = random.Random(5).randbytes(300)
    other = random.Random(6).randbytes(100)
    assert library.find(b"", block + other + block) == [Segment(400, 300, 0, True, False)]


def test_a_filled_area_is_one_copy_of_itself(library: SegmentsLibrary) -> None:
    segments = library.find(b"", bytes(20000))
    assert len(segments) == 1
    assert segments[0].from_target
    assert segments[0].length > 19980
    assert segments[0].source + segments[0].length > segments[0].target


def test_map_holds_as_many_as_allowed(library: SegmentsLibrary) -> None:
    parts = [plain_code(256, seed) for seed in range(8)]
    base = b"".join(parts)
    target = b"".join(part + plain_code(10, 20 + i) for i, part in enumerate(parts))
    assert sum(s.in_map for s in library.find(base, target)) == 8
    assert sum(s.in_map for s in library.find(base, target, map_max=3)) == 3
    assert sum(s.in_map for s in library.find(base, target, map_max=0)) == 0
    assert sum(s.in_map for s in library.find(base, target, map_len_min=300)) == 0


def test_map_takes_what_most_references_name(library: SegmentsLibrary) -> None:
    """Of two parts that moved, the shorter one is called from everywhere."""
    large, small = plain_code(600, 1), plain_code(200, 2)
    base = large + small + b"".join(call(800 + 4 * i, 600 + 2 * i) for i in range(40))
    calls = b"".join(call(860 + 4 * i, 660 + 2 * i) for i in range(40))
    target = plain_code(30, 9) + large + plain_code(30, 8) + small + calls
    chosen = [s for s in library.find(base, target, map_max=1) if s.in_map]
    assert [(s.target, s.source) for s in chosen] == [(660, 600)]


@pytest.mark.parametrize("lengths", [(0, 0), (0, 1), (1, 0), (1, 1), (3, 7), (7, 3), (0, 9), (9, 8), (15, 16)])
def test_short_images_are_no_trouble(library: SegmentsLibrary, lengths: tuple[int, int]) -> None:
    for make in (bytes, random.Random(1).randbytes):
        base, target = make(lengths[0]), make(lengths[1])
        assert_valid(library.find(base, target), base, target)


def test_an_image_beyond_the_limit_is_refused(library: SegmentsLibrary) -> None:
    limit = library.status("MUSTER_ALIGNMENT_LEN_MAX")
    assert library.refusal(limit + 1, 0) == library.status("OTA_ERR_BUFFER")
    assert library.refusal(0, limit + 1) == library.status("OTA_ERR_BUFFER")


def hard_images() -> Iterator[tuple[bytes, bytes]]:
    """Images in which nearly every place looks like many others."""
    chosen = random.Random(4)
    period = bytearray((chosen.randbytes(30) * 700)[:20000])
    for i in range(0, len(period), 61):
        period[i] = chosen.randrange(256)
    yield bytes(20000), bytes(period)
    yield bytes(period), bytes(period[7:])
    yield bytes(chosen.choice(b"ab") for _ in range(3000)), bytes(chosen.choice(b"ab") for _ in range(3000))
    words = [chosen.randbytes(8) for _ in range(6)]
    yield b"".join(chosen.choices(words, k=1000)), b"".join(chosen.choices(words, k=1000))
    yield b"\xff" * 20000, bytes(20001)


@pytest.mark.parametrize("pair", list(hard_images()))
def test_hard_images_give_valid_segments(library: SegmentsLibrary, pair: tuple[bytes, bytes]) -> None:
    base, target = pair
    assert_valid(library.find(base, target), base, target)
    assert_valid(library.find(b"", target), b"", target)


@st.composite
def edited_pairs(draw: st.DrawFn) -> tuple[bytes, bytes]:
    """A base of code, calls and text, and a target made of pieces of it and of new bytes."""
    base = plain_code(draw(st.integers(0, 300)) * 2, draw(st.integers(0, 3)))
    base += b"".join(call(len(base) + 4 * i, 2 * i) for i in range(draw(st.integers(0, 20))))
    base += draw(st.binary(max_size=80))
    target = b""
    for _ in range(draw(st.integers(0, 6))):
        begin = draw(st.integers(0, len(base)))
        target += base[begin : draw(st.integers(begin, len(base)))] + draw(st.binary(max_size=12))
    return base, target


@settings(max_examples=80, deadline=None)
@given(pair=edited_pairs())
def test_segments_are_valid_and_the_same_each_time(library: SegmentsLibrary, pair: tuple[bytes, bytes]) -> None:
    base, target = pair
    segments = library.find(base, target)
    assert_valid(segments, base, target)
    assert library.find(base, target) == segments
