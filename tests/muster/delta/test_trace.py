# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import functools
import random
from collections import defaultdict
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from muster.delta import (
    BaseImageMismatch,
    PatchHeaderError,
    PatchKind,
    PatchProfile,
    PatchTrailing,
    PatchTruncated,
    apply,
    encode,
    encode_full,
)
from muster.delta.trace import Coding, Spent, Trace, trace
from muster.errors import MusterError
from muster.image.image import Image
from muster.status import OtaStatus
from tests.muster.delta.explained import part_named, releases
from tests.muster.delta.pairs import code_like, image_of, image_pairs, module_of, raw_pairs

PROFILES = st.sampled_from(list(PatchProfile))
_END_BITS = 32
"""What the range coder has to write at the end is never more; it is less where the decoder is to take zeros."""


def _check(base: bytes, target: bytes, patch: bytes) -> Trace:
    """What holds of every trace."""
    found = trace(base, patch)
    assert found.header_bytes == found.header.size
    assert all(spent.bits >= 0 for spent in found.spent)
    stream_bits = 8 * (len(patch) - found.header_bytes)
    assert abs(stream_bits - sum(spent.bits for spent in found.spent)) <= _END_BITS
    _check_bytes(found, target)
    _check_copies(found, base, target)
    return found


def _check_bytes(found: Trace, target: bytes) -> None:
    end = 0
    for spent in sorted((spent for spent in found.spent if spent.length), key=lambda spent: spent.offset):
        assert spent.offset == end
        end += spent.length
    assert end == len(target)
    for spent in found.spent:
        assert spent.offset + spent.length <= len(target)
        assert spent.length or spent.coding in (Coding.MAP, Coding.COPY, Coding.TAIL)


def _check_copies(found: Trace, base: bytes, target: bytes) -> None:
    in_map = [segment for segment in found.segments if segment.in_map]
    assert list(found.segments[: len(in_map)]) == in_map
    covered = 0
    end = 0
    for segment in sorted(found.segments, key=lambda segment: segment.target):
        assert segment.target >= end
        end = segment.target + segment.length
        assert segment.length > 0
        assert end <= len(target)
        if segment.from_target:
            assert segment.source < segment.target
            assert not segment.in_map
        else:
            assert segment.source + segment.length <= len(base)
        covered += segment.length
    made = sum(spent.length for spent in found.spent if spent.coding in (Coding.HIT, Coding.MISS) and spent.length)
    assert made <= covered <= len(target)


def _bits(spent: tuple[Spent, ...]) -> dict[Coding, float]:
    bits: dict[Coding, float] = defaultdict(float)
    for item in spent:
        bits[item.coding] += item.bits
    return bits


@settings(max_examples=60)
@given(raw_pairs(), PROFILES)
def test_bits_of_raw_patches_add_up(pair: tuple[bytes, bytes], profile: PatchProfile) -> None:
    base, target = pair
    _check(base, target, encode(base, target, profile=profile).raw)


@settings(max_examples=30)
@given(image_pairs(), PROFILES)
def test_bits_of_image_patches_add_up(pair: tuple[Image, Image], profile: PatchProfile) -> None:
    base, target = pair
    found = _check(base.raw, target.raw, encode(base.raw, target.raw, profile=profile).raw)
    tail_at = target.manifest.ext_start
    assert all((spent.offset >= tail_at) == (spent.coding is Coding.TAIL) for spent in found.spent if spent.length)
    tables = [spent for spent in found.spent if spent.coding is Coding.TABLE]
    assert [(spent.offset, spent.length) for spent in tables] == [
        (target.manifest.reloc_start, tail_at - target.manifest.reloc_start)
    ]


@settings(max_examples=20)
@given(raw_pairs(), st.sampled_from([0, 0x184]), PROFILES)
def test_bits_of_module_patches_add_up(pair: tuple[bytes, bytes], prefix_at: int, profile: PatchProfile) -> None:
    base, target = (module_of(code, prefix_at) for code in pair)
    patch = encode(base, target, profile=profile)
    assert patch.header.kind.prefix_at == prefix_at
    _check(base, target, patch.raw)


@settings(max_examples=15)
@given(image_pairs(), PROFILES)
def test_bits_of_full_images_add_up(pair: tuple[Image, Image], profile: PatchProfile) -> None:
    target = pair[1].raw
    found = _check(b"", target, encode(b"", target, profile=profile).raw)
    assert all(segment.from_target for segment in found.segments)


@pytest.mark.parametrize("target", [b"", b"a", b"ab", b"abc", bytes(70_000), bytes(range(256)) * 40 + b"x"])
def test_targets_of_any_length_are_traced(target: bytes) -> None:
    for base in (b"", b"a", bytes(3000)):
        _check(base, target, encode(base, target).raw)


def test_new_bytes_are_literals_and_the_rest_is_one_copy() -> None:
    rng = random.Random(5)
    base = code_like(rng, 9000)
    new = rng.randbytes(200)
    found = _check(base, base[:4000] + new + base[4000:], encode(base, base[:4000] + new + base[4000:]).raw)
    in_new = [spent for spent in found.spent if 4000 <= spent.offset < 4200]
    bits = _bits(tuple(spent for spent in in_new if spent.length))
    assert bits[Coding.LITERAL] + bits[Coding.BRANCH] + bits[Coding.MISS] >= 8 * 190
    assert sum(spent.bits for spent in found.spent if spent not in in_new) < 8 * 60
    shifts = {segment.target - segment.source for segment in found.segments if segment.length > 1000}
    assert shifts == {0, 200}


def test_repeated_bytes_are_copies_from_the_target() -> None:
    block = random.Random(6).randbytes(600)
    found = _check(b"", block + b"between" + block, encode_full(block + b"between" + block).raw)
    longest = max(found.segments, key=lambda segment: segment.length)
    assert longest.from_target
    assert longest.target - longest.source == len(block) + len(b"between")
    assert longest.length >= len(block) - 2


def test_equal_images_cost_nothing_but_their_predictions() -> None:
    base = image_of(code_like(random.Random(7), 40_000), 1, range(0x19C, 30_000, 40))
    target = image_of(code_like(random.Random(7), 40_000), 2, range(0x19C, 30_000, 40))
    bits = _bits(_check(base.raw, target.raw, encode(base.raw, target.raw).raw).spent)
    assert sum(bits[coding] for coding in (Coding.LITERAL, Coding.BRANCH, Coding.POINTER, Coding.COPY)) == 0
    assert bits[Coding.HIT] < 100


def test_bits_lie_where_the_program_changed() -> None:
    old, new = releases()
    program = new.program()
    found = _check(old.image, new.image, encode(old.image, new.image).raw)

    def bits_of(name: str) -> float:
        part = part_named(program, name)
        return sum(spent.bits for spent in found.spent if part.offset <= spent.offset < part.end)

    added, changed = part_named(program, "added"), part_named(program, "curve_changed")
    assert bits_of("added") > 3 * added.size
    assert bits_of("moved") < 8
    assert 0 < bits_of("curve_changed") < 8 * 8
    misses = [spent for spent in found.spent if spent.coding is Coding.MISS]
    assert any(changed.offset <= spent.offset < changed.end for spent in misses)


@pytest.mark.parametrize("kind", [PatchKind.RAW, PatchKind.IMAGE])
def test_bad_patches_are_refused_as_when_they_are_applied(kind: PatchKind) -> None:
    base, target = (image_of(code_like(random.Random(seed), 3000), seed).raw for seed in (1, 2))
    patch = encode(base, target, kind=kind).raw
    with pytest.raises(PatchTruncated):
        trace(base, patch[:5])
    with pytest.raises(PatchTrailing):
        trace(base, patch + bytes(8))
    with pytest.raises(PatchHeaderError):
        trace(base, b"\x00" + patch[1:])
    for wrong in (target, b"", b"else"):
        with pytest.raises(BaseImageMismatch):
            trace(wrong, patch)


@st.composite
def damages(draw: st.DrawFn, patch: bytes) -> bytes:
    """The patch with one bit set wrong, or cut, or with bytes behind it."""
    at = draw(st.integers(0, len(patch) - 1))
    flipped = bytearray(patch)
    flipped[at] ^= 1 << draw(st.integers(0, 7))
    return draw(st.sampled_from([bytes(flipped), patch[:at], patch + patch[:at]]))


def _status(function: Callable[[bytes, bytes], object], base: bytes, patch: bytes) -> OtaStatus | None:
    try:
        function(base, patch)
    except MusterError as error:
        return error.status
    return None


@functools.cache
def _traced_pair() -> tuple[bytes, bytes]:
    base, target = (image_of(code_like(random.Random(seed), 2000), seed).raw for seed in (1, 2))
    return base, encode(base, target).raw


@settings(max_examples=100)
@given(st.data())
def test_damaged_patches_end_as_when_they_are_applied(data: st.DataObject) -> None:
    base, patch = _traced_pair()
    damaged = data.draw(damages(patch))
    assert _status(trace, base, damaged) == _status(apply, base, damaged)
