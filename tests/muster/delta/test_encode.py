# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import hashlib
import itertools
import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from muster.delta import (
    PatchHeaderError,
    PatchKind,
    PatchProfile,
    PatchProfileUnknown,
    apply,
    encode,
    encode_full,
)
from muster.delta.encode import base_identity
from muster.errors import FormatError
from muster.image.image import Image
from tests.muster.delta.pairs import code_like, compiled_program, image_of, image_pairs, raw_pairs
from tests.muster.delta.reference_decoder import decode
from tests.vectors import fixed


@settings(max_examples=60)
@given(raw_pairs())
def test_raw_patch_makes_its_target(pair: tuple[bytes, bytes]) -> None:
    base, target = pair
    patch = encode(base, target)
    assert patch.header.kind is PatchKind.RAW
    assert apply(base, patch.raw) == target
    assert decode(base, patch.raw) == target


@settings(max_examples=30)
@given(image_pairs())
def test_image_patch_makes_its_target(pair: tuple[Image, Image]) -> None:
    base, target = pair
    patch = encode(base.raw, target.raw)
    assert patch.header.kind is PatchKind.IMAGE
    assert patch.header.base_identity == base.manifest.identity_prefix
    assert patch.header.target_identity == target.manifest.identity_prefix
    assert apply(base.raw, patch.raw) == target.raw
    assert decode(base.raw, patch.raw) == target.raw


@settings(max_examples=15)
@given(image_pairs())
def test_full_image_needs_no_base(pair: tuple[Image, Image]) -> None:
    target = pair[1].raw
    patch = encode_full(target)
    assert patch.header.kind is PatchKind.IMAGE
    assert patch.header.is_full_image
    assert apply(b"", patch.raw) == target
    assert decode(b"", patch.raw) == target


@settings(max_examples=25)
@given(raw_pairs(), st.integers(1, 300))
def test_result_does_not_depend_on_the_pieces(pair: tuple[bytes, bytes], piece_len: int) -> None:
    base, target = pair
    patch = encode(base, target).raw
    assert apply(base, patch, piece_len=1) == target
    assert apply(base, patch, piece_len=piece_len) == target


@pytest.mark.parametrize(
    ("base", "target"),
    [(b"", b""), (b"", b"x"), (b"x", b""), (b"x", b"x"), (b"ab" * 20, b"ba" * 20), (b"", bytes(100_000))],
    ids=["empty", "one byte", "nothing left", "same", "swapped", "zeros"],
)
def test_small_and_plain_pairs(base: bytes, target: bytes) -> None:
    patch = encode(base, target)
    assert apply(base, patch.raw) == target
    assert decode(base, patch.raw) == target


def test_equal_arguments_give_equal_bytes() -> None:
    rng = random.Random(1)
    base = code_like(rng, 5000)
    target = base[:2000] + b"new" + base[1000:]
    assert encode(base, target) == encode(bytes(bytearray(base)), bytes(bytearray(target)))


def test_compiled_versions_make_small_patches(tmp_path: Path) -> None:
    programs = [compiled_program(tmp_path, version) for version in (1, 2, 3)]
    for base, target in itertools.pairwise(programs):
        patch = encode(base, target, load_base=0x0802_0000)
        assert apply(base, patch.raw) == target
        assert decode(base, patch.raw) == target
        assert len(patch) < len(target) // 20


def test_full_image_is_smaller_than_the_image(tmp_path: Path) -> None:
    target = compiled_program(tmp_path, 1)
    assert len(encode_full(target)) < 0.7 * len(target)


def test_derived_fields_cost_nothing() -> None:
    """Images that differ in one byte of code differ in all their hashes too; the patch holds the byte."""
    code = bytearray(code_like(random.Random(2), 4000))
    base = image_of(bytes(code))
    code[1234] ^= 0x10
    target = image_of(bytes(code))
    assert len(encode(base.raw, target.raw)) < 64 + 20


def test_signatures_may_be_added_by_a_patch() -> None:
    base = fixed.small_image()
    target = fixed.signed_image("release-1", "release-2")
    patch = encode(base.raw, target.raw)
    assert patch.header.base_identity == patch.header.target_identity
    assert Image.from_bytes(apply(base.raw, patch.raw)) == target


def test_a_pair_with_one_foreign_side_is_raw() -> None:
    image = fixed.small_image().raw
    patch = encode(b"foreign firmware", image)
    assert patch.header.kind is PatchKind.RAW
    assert apply(b"foreign firmware", patch.raw) == image


def test_image_patch_of_a_broken_image_is_refused() -> None:
    image = fixed.small_image().raw
    broken = image[:0x200] + bytes([image[0x200] ^ 1]) + image[0x201:]
    with pytest.raises(FormatError):
        encode(image, broken, kind=PatchKind.IMAGE)
    with pytest.raises(FormatError):
        encode(broken, image, kind=PatchKind.IMAGE)


def test_profile_without_a_coder_is_refused() -> None:
    with pytest.raises(PatchProfileUnknown):
        encode(b"", b"abc", profile=PatchProfile.LARGE)


def test_target_above_the_limit_is_refused() -> None:
    with pytest.raises(PatchHeaderError):
        encode(b"", bytes(0x0100_0001))


def test_load_base_is_told_to_the_decoder() -> None:
    assert encode(b"a", b"b", load_base=0x0802_0000).header.load_base == 0x0802_0000
    assert encode(b"a", b"b").header.load_base == 0
    assert encode_full(fixed.small_image().raw).header.load_base == 0x0802_0000


def test_digest_is_the_hash_of_all_bytes() -> None:
    patch = encode(b"a", b"b")
    assert patch.digest == hashlib.sha256(patch.raw).digest()


def test_no_base_has_no_identity() -> None:
    assert base_identity(b"", PatchKind.IMAGE) == base_identity(b"", PatchKind.RAW) == bytes(16)
