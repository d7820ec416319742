# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import hashlib
import itertools
import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from muster.delta import (
    Patch,
    PatchHeaderError,
    PatchKind,
    PatchProfile,
    PatchProfileUnknown,
    apply,
    encode,
    encode_full,
)
from muster.delta.header import LENGTH_MAX
from muster.errors import FormatError
from muster.image.image import Image
from tests.fuzz.programs import Program
from tests.fuzz.seeds import image_of as program_image
from tests.muster.delta.pairs import (
    code_like,
    compiled_program,
    image_of,
    image_pairs,
    module_of,
    program_pairs,
    raw_pairs,
)
from tests.vectors import fixed

Profiles = pytest.mark.parametrize("profile", PatchProfile, ids=lambda profile: profile.name)
_ADDRESS = 0x0802_0000


@Profiles
@settings(max_examples=60)
@given(raw_pairs())
def test_raw_patch_makes_its_target(profile: PatchProfile, pair: tuple[bytes, bytes]) -> None:
    base, target = pair
    patch = encode(base, target, profile=profile)
    assert (patch.header.kind, patch.header.profile) == (PatchKind.RAW, profile)
    assert patch.header.target_length(len(base)) == len(target)
    assert apply(base, patch.raw) == target


@Profiles
@settings(max_examples=30)
@given(image_pairs())
def test_image_patch_makes_its_target(profile: PatchProfile, pair: tuple[Image, Image]) -> None:
    base, target = pair
    patch = encode(base.raw, target.raw, profile=profile)
    assert patch.header.kind is PatchKind.IMAGE
    assert patch.header.base_check == base.identity[:3]
    assert patch.header.target_check == target.identity[:4]
    assert apply(base.raw, patch.raw) == target.raw


@Profiles
@settings(max_examples=30)
@given(program_pairs(), st.sampled_from(["raw", "odd raw", "module", "module at 0x184", "image"]))
def test_moved_code_comes_out_right(profile: PatchProfile, pair: tuple[Program, Program], form: str) -> None:
    if form == "image":
        base, target = (program_image(program, version).raw for version, program in enumerate(pair, start=1))
    else:
        base, target = (program.link(_ADDRESS).code for program in pair)
    if form == "odd raw":
        base, target = base[1:], target[:-1]
    elif form.startswith("module"):
        base, target = (module_of(code, 0x184 if form.endswith("184") else 0) for code in (base, target))
    patch = encode(base, target, profile=profile, load_base=_ADDRESS)
    assert apply(base, patch.raw) == target
    assert apply(b"", encode(b"", target, profile=profile).raw) == target


@Profiles
@settings(max_examples=15)
@given(image_pairs())
def test_full_image_needs_no_base(profile: PatchProfile, pair: tuple[Image, Image]) -> None:
    target = pair[1].raw
    patch = encode_full(target, profile=profile)
    assert patch.header.kind is PatchKind.IMAGE
    assert patch.header.is_full_image
    assert apply(b"", patch.raw) == target


@settings(max_examples=25)
@given(raw_pairs(), st.integers(1, 300))
def test_result_does_not_depend_on_the_pieces(pair: tuple[bytes, bytes], piece_len: int) -> None:
    base, target = pair
    patch = encode(base, target).raw
    assert apply(base, patch, piece_len=1) == target
    assert apply(base, patch, piece_len=piece_len) == target


_PLAIN_PAIRS = {
    "empty": (b"", b""),
    "one byte": (b"", b"x"),
    "nothing left": (b"x", b""),
    "same byte": (b"x", b"x"),
    "same three bytes": (b"abc", b"abc"),
    "three to four": (b"abc", b"abcd"),
    "swapped": (b"ab" * 20, b"ba" * 20),
    "odd": (bytes(range(201)), bytes(range(1, 202))),
    "zeros": (b"", bytes(100_000)),
    "less zeros": (bytes(100_000), bytes(50_001)),
    "more zeros": (bytes(50_001), bytes(100_000)),
    "ones in zeros": (bytes(100_000), bytes(50_000) + b"\1" + bytes(60_000)),
    "period": (bytes(range(16)) * 5000, bytes(range(5, 16)) + bytes(range(16)) * 5200),
    "odd period": (b"abc" * 30_000, b"abc" * 10_000 + b"x" + b"bca" * 22_000),
    "erased": (b"\xff" * 100_000, b"\xff" * 99_999 + b"\0"),
}


@Profiles
@pytest.mark.parametrize(("base", "target"), _PLAIN_PAIRS.values(), ids=_PLAIN_PAIRS)
def test_small_and_plain_pairs(base: bytes, target: bytes, profile: PatchProfile) -> None:
    patch = encode(base, target, profile=profile)
    assert apply(base, patch.raw) == target
    assert len(patch) < 400


def test_equal_arguments_give_equal_bytes() -> None:
    rng = random.Random(1)
    base = code_like(rng, 5000)
    target = base[:2000] + b"new" + base[1000:]
    assert encode(base, target) == encode(bytes(bytearray(base)), bytes(bytearray(target)))


@Profiles
@pytest.mark.parametrize("base", [b"", bytes(range(256)) * 200], ids=["full", "patch"])
def test_random_bytes_grow_by_a_hundredth_at_most(base: bytes, profile: PatchProfile) -> None:
    noise = random.Random(11).randbytes(50_000)
    patch = encode(base, noise, profile=profile)
    assert len(patch) <= 1.01 * len(noise)
    assert apply(base, patch.raw) == noise


def test_compiled_versions_make_small_patches(tmp_path: Path) -> None:
    programs = [compiled_program(tmp_path, version) for version in (1, 2, 3)]
    for base, target in itertools.pairwise(programs):
        patch = encode(base, target, load_base=_ADDRESS)
        assert apply(base, patch.raw) == target
        assert len(patch) < len(target) // 40


def test_full_image_is_smaller_than_the_image(tmp_path: Path) -> None:
    target = compiled_program(tmp_path, 1)
    assert len(encode_full(target)) < 0.6 * len(target)


def test_address_of_the_code_makes_a_patch_smaller(tmp_path: Path) -> None:
    base, target = (compiled_program(tmp_path, version) for version in (1, 2))
    assert len(encode(base, target, load_base=_ADDRESS)) < len(encode(base, target))


def test_derived_fields_cost_nothing() -> None:
    """Images that differ in one byte of code differ in all their hashes too; the patch holds the byte."""
    code = bytearray(code_like(random.Random(2), 4000))
    base = image_of(bytes(code))
    foreign = module_of(bytes(code))
    code[1234] ^= 0x10
    assert len(encode(base.raw, image_of(bytes(code)).raw)) < 11 + 20
    patch = encode(foreign, module_of(bytes(code)))
    assert patch.header.kind is PatchKind.MODULE_AT_0
    assert len(patch) < 11 + 20
    assert len(patch) + 36 < len(encode(foreign, module_of(bytes(code)), kind=PatchKind.RAW))


def test_signatures_may_be_added_by_a_patch() -> None:
    base = fixed.small_image()
    target = fixed.signed_image("release-1", "release-2")
    patch = encode(base.raw, target.raw)
    assert patch.header.base_check == patch.header.target_check[:3]
    assert Image.from_bytes(apply(base.raw, patch.raw)) == target


def test_a_pair_with_one_foreign_side_is_raw() -> None:
    image = fixed.small_image().raw
    patch = encode(b"foreign firmware", image)
    assert patch.header.kind is PatchKind.RAW
    assert apply(b"foreign firmware", patch.raw) == image


@pytest.mark.parametrize("spoilt", [-1, -38, -44 + 8, 4], ids=["CRC", "hash", "hash too", "end"])
def test_module_in_which_a_derived_field_is_wrong_is_raw(spoilt: int) -> None:
    good = module_of(b"some code" * 40)
    raw = bytearray(good)
    raw[spoilt] ^= 1
    patch = encode(good, bytes(raw))
    assert patch.header.kind is PatchKind.RAW
    assert apply(good, patch.raw) == bytes(raw)


def test_module_that_moves_to_another_address_is_raw() -> None:
    """The decoder takes the address from the base."""
    base, target = module_of(b"code" * 30), module_of(b"code" * 30, load_base=0x0806_0000)
    patch = encode(base, target)
    assert patch.header.kind is PatchKind.RAW
    assert apply(base, patch.raw) == target
    with pytest.raises(FormatError):
        encode(base, target, kind=PatchKind.MODULE_AT_0)


def test_image_patch_of_a_broken_image_is_refused() -> None:
    image = fixed.small_image().raw
    broken = image[:0x200] + bytes([image[0x200] ^ 1]) + image[0x201:]
    with pytest.raises(FormatError):
        encode(image, broken, kind=PatchKind.IMAGE)
    with pytest.raises(FormatError):
        encode(broken, image, kind=PatchKind.IMAGE)
    with pytest.raises(FormatError):
        encode(image, broken, kind=PatchKind.MODULE_AT_0)


def test_profile_without_a_coder_is_refused() -> None:
    other: Any = 3
    with pytest.raises(PatchProfileUnknown):
        encode(b"", b"abc", profile=other)


def test_length_above_the_limit_is_refused() -> None:
    for base, target in ((b"", bytes(LENGTH_MAX + 1)), (bytes(LENGTH_MAX + 1), b"")):
        with pytest.raises(PatchHeaderError):
            encode(base, target)


def test_load_base_is_told_where_nothing_else_tells_it() -> None:
    assert encode(b"a", b"b", load_base=_ADDRESS).header.load_base == _ADDRESS
    assert encode(b"a", b"b").header.load_base == 0
    assert encode(b"", module_of(b"code")).header.load_base == _ADDRESS
    assert encode_full(fixed.small_image().raw).header.load_base is None
    with pytest.raises(PatchHeaderError):
        encode(b"a", b"b", load_base=_ADDRESS + 4)


def test_full_images_are_for_the_larger_decoder() -> None:
    raw = fixed.large_image().raw
    assert encode_full(raw).header.profile == PatchProfile.LARGE
    assert encode(raw, raw).header.profile == PatchProfile.SMALL


def test_digest_is_the_hash_of_all_bytes() -> None:
    patch = encode(b"a", b"b")
    assert patch.digest == hashlib.sha256(patch.raw).digest()
    assert Patch.from_bytes(bytes(bytearray(patch.raw))) == patch
