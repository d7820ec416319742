# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from muster.delta import (
    BaseImageMismatch,
    ImageLayout,
    PatchHeader,
    PatchHeaderError,
    PatchKind,
    PatchProfile,
    PatchProfileUnknown,
    PatchRangeError,
    PatchTooLarge,
    PatchTrailing,
    PatchTruncated,
    TargetMismatch,
    apply,
    codec,
    encode,
    encode_full,
)
from muster.delta.errors import error_for
from muster.delta.header import NO_BASE
from muster.errors import MusterError
from muster.image.image import Image
from muster.status import OtaStatus
from tests.muster.delta.decoders import applied, outcome
from tests.muster.delta.pairs import code_like, image_of, image_pairs, module_of, raw_pairs
from tests.vectors import fixed

_CODE = code_like(random.Random(3), 3000)
_BASE = image_of(_CODE, 1, range(0x19C, 0x800, 24)).raw
_TARGET = image_of(_CODE[:500] + b"an inserted constant" + _CODE[300:], 2, range(0x1A0, 0x900, 20)).raw
_PATCH = encode(_BASE, _TARGET).raw
_HEADER_SIZE = PatchHeader.from_bytes(_PATCH).size
_LAYOUT = ImageLayout.of(_BASE, PatchKind.IMAGE)


def with_header(patch: bytes, **changes: Any) -> bytes:
    header = PatchHeader.from_bytes(patch)
    return replace(header, **changes).to_bytes() + patch[header.size :]


def test_patch_for_wrong_base_is_refused() -> None:
    with pytest.raises(BaseImageMismatch):
        apply(fixed.small_image().raw, _PATCH)
    with pytest.raises(BaseImageMismatch):
        apply(b"no image at all", _PATCH)
    with pytest.raises(BaseImageMismatch):
        apply(b"", _PATCH)
    with pytest.raises(BaseImageMismatch):
        apply(b"old texT", encode(b"old text", b"new text").raw)


def test_full_image_does_not_look_at_the_base() -> None:
    assert apply(_BASE, encode_full(_TARGET).raw) == _TARGET


@pytest.mark.parametrize("number", [0, 3])
def test_unknown_profile_is_refused(number: int) -> None:
    with pytest.raises(PatchProfileUnknown):
        apply(_BASE, with_header(_PATCH, profile=number))


def test_bytes_behind_the_end_are_refused() -> None:
    for more in (bytes(5), b"\x00" * 63, b"\x00" * 64, b"\x00" * 200):
        with pytest.raises(PatchTrailing):
            apply(_BASE, _PATCH + more)


@pytest.mark.parametrize("profile", PatchProfile, ids=lambda profile: profile.name)
@pytest.mark.parametrize("base", [_BASE, b""], ids=["patch", "full image"])
def test_truncated_patch_never_makes_another_target(base: bytes, profile: PatchProfile) -> None:
    """Up to four missing bytes are zeros, and what they make may be wrong before the end is seen.

    Of an image, bytes behind the manifest are not what the identity speaks of: a few decisions may make all of them,
    and signatures come out wrong.
    """
    patch = encode(base, _TARGET, profile=profile).raw
    kept = len(_TARGET) - 556 + 4 + len(Image.from_bytes(_TARGET).manifest.to_bytes())
    for length in range(len(patch) - 1):
        found = applied(base, patch[:length])
        if isinstance(found, bytes):
            assert found[:kept] == _TARGET[:kept]
        else:
            assert found in (OtaStatus.ERR_PATCH_TRUNCATED, OtaStatus.ERR_PATCH_RANGE, OtaStatus.ERR_IDENTITY)
    header_size = PatchHeader.from_bytes(patch).size
    assert applied(base, patch[: header_size - 1]) is OtaStatus.ERR_PATCH_TRUNCATED
    assert applied(base, patch[: len(patch) // 2]) in (OtaStatus.ERR_PATCH_TRUNCATED, OtaStatus.ERR_PATCH_RANGE)


def test_patch_that_makes_another_target_is_refused() -> None:
    with pytest.raises(TargetMismatch):
        apply(_BASE, with_header(_PATCH, target_check=bytes(4)))
    raw = encode(b"old text", b"new text").raw
    with pytest.raises(TargetMismatch):
        apply(b"old text", with_header(raw, target_check=bytes(4)))
    modules = [module_of(code) for code in (b"old text", b"new text")]
    with pytest.raises(TargetMismatch):
        apply(modules[0], with_header(encode(*modules).raw, target_check=bytes(4)))


@settings(max_examples=150)
@given(st.data())
def test_changed_patches_end_in_the_same_error_in_both_decoders(data: st.DataObject) -> None:
    """A changed stream may still make the target's manifest: then only bytes outside of body and manifest differ."""
    patch = bytearray(_PATCH)
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(_HEADER_SIZE, len(patch) - 1))
        patch[at] ^= data.draw(st.integers(1, 255))
    assert applied(_BASE, bytes(patch)) == outcome(_BASE, bytes(patch))


@settings(max_examples=60)
@given(raw_pairs(), st.binary(max_size=200))
def test_random_streams_end_in_the_same_error_in_both_decoders(pair: tuple[bytes, bytes], stream: bytes) -> None:
    base, target = pair
    patch = encode(base, target).header.to_bytes() + stream
    assert applied(base, patch) == outcome(base, patch)


@settings(max_examples=60)
@given(raw_pairs(), st.sampled_from(PatchProfile))
def test_both_decoders_make_the_same(pair: tuple[bytes, bytes], profile: PatchProfile) -> None:
    base, target = pair
    assert outcome(base, encode(base, target, profile=profile).raw) == target
    modules = [module_of(code) for code in pair]
    assert outcome(modules[0], encode(*modules, profile=profile).raw) == modules[1]


@settings(max_examples=20)
@given(image_pairs(), st.sampled_from(PatchProfile))
def test_both_decoders_make_the_same_image(pair: tuple[Image, Image], profile: PatchProfile) -> None:
    base, target = pair[0].raw, pair[1].raw
    assert outcome(base, encode(base, target, profile=profile).raw) == target
    assert outcome(b"", encode(b"", target, profile=profile).raw) == target


@settings(max_examples=20)
@given(image_pairs())
def test_derived_fields_are_right(pair: tuple[Image, Image]) -> None:
    """Image checks each of them: module end, body hash, SHA-256, CRC."""
    base, target = pair
    made = Image.from_bytes(apply(base.raw, encode(base.raw, target.raw).raw))
    assert made.identity == target.identity


@pytest.mark.parametrize("change", [-67, -40, -8, -2, 2, 40, 5000])
def test_lengths_are_held_against_the_header(change: int) -> None:
    """A header that promises less, or more, than its stream makes."""
    raw = encode(b"old text" * 9, b"new text" * 9).raw
    with pytest.raises((PatchRangeError, PatchTrailing, PatchTruncated, TargetMismatch)):
        apply(b"old text" * 9, with_header(raw, length_change=change, reloc_change=change))


@pytest.mark.parametrize("piece_len", [0, 1])
def test_header_that_breaks_a_rule_is_refused_by_the_decoder_itself(piece_len: int) -> None:
    for spoilt in (b"\0" + _PATCH[1:], with_header(_PATCH, reloc_change=4 * len(_BASE))):
        assert outcome(_BASE, spoilt) is OtaStatus.ERR_PATCH_HEADER
        with pytest.raises(PatchHeaderError):
            codec.apply_patch(_BASE, _LAYOUT, spoilt, len(_TARGET), piece_len)


def test_target_larger_than_its_room_is_refused() -> None:
    with pytest.raises(PatchTooLarge):
        codec.apply_patch(_BASE, _LAYOUT, _PATCH, len(_TARGET) - 1, 0)


def test_wrong_base_is_refused_by_the_decoder_itself() -> None:
    for layout in (NO_BASE, replace(_LAYOUT, identity=bytes(16))):
        with pytest.raises(BaseImageMismatch):
            codec.apply_patch(_BASE, layout, _PATCH, len(_TARGET), 0)


def test_status_of_no_patch_is_a_plain_error() -> None:
    assert type(error_for(OtaStatus.ERR_BUFFER)) is MusterError
    assert error_for(OtaStatus.ERR_BUFFER).status is OtaStatus.ERR_BUFFER
