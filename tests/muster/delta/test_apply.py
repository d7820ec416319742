# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import random
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from muster.delta import (
    HEADER_SIZE,
    BaseImageMismatch,
    PatchHeader,
    PatchHeaderError,
    PatchProfileUnknown,
    PatchRangeError,
    PatchTooLarge,
    PatchTrailing,
    PatchTruncated,
    TargetMismatch,
    apply,
    codec,
    encode,
)
from muster.delta.errors import error_for
from muster.errors import MusterError
from muster.image.image import Image
from muster.status import OtaStatus
from tests.muster.delta.pairs import code_like, image_of, image_pairs, raw_pairs
from tests.muster.delta.reference_decoder import outcome
from tests.muster.delta.test_header import resealed
from tests.vectors import fixed

_CODE = code_like(random.Random(3), 3000)
_BASE = image_of(_CODE, 1, range(0x19C, 0x800, 24)).raw
_TARGET = image_of(_CODE[:500] + b"an inserted constant" + _CODE[300:], 2, range(0x1A0, 0x900, 20)).raw
_PATCH = encode(_BASE, _TARGET).raw


def with_header(patch: bytes, **changes: int | bytes) -> bytes:
    header = replace(PatchHeader.from_bytes(patch), **changes)  # type: ignore[arg-type]
    return header.to_bytes() + patch[HEADER_SIZE:]


def applied(base: bytes, patch: bytes) -> bytes | OtaStatus | None:
    """The target, or the status of the error."""
    try:
        return apply(base, patch)
    except MusterError as error:
        return error.status


def test_patch_for_wrong_base_is_refused() -> None:
    with pytest.raises(BaseImageMismatch):
        apply(fixed.small_image().raw, _PATCH)
    with pytest.raises(BaseImageMismatch):
        apply(b"no image at all", _PATCH)
    with pytest.raises(BaseImageMismatch):
        apply(b"", _PATCH)
    with pytest.raises(BaseImageMismatch):
        apply(_BASE, encode(b"", _TARGET).raw)
    with pytest.raises(BaseImageMismatch):
        apply(b"old texT", encode(b"old text", b"new text").raw)


def test_larger_profile_is_refused() -> None:
    with pytest.raises(PatchProfileUnknown):
        apply(_BASE, with_header(_PATCH, profile=2))


def test_bytes_behind_the_end_are_refused() -> None:
    for more in (b"\x00", b"\x00" * 63, b"\x00" * 64, b"\x00" * 200):
        with pytest.raises(PatchTrailing):
            apply(_BASE, _PATCH + more)


@pytest.mark.parametrize("base", [_BASE, b""], ids=["patch", "full image"])
def test_every_truncated_patch_is_refused(base: bytes) -> None:
    patch = encode(base, _TARGET).raw
    for length in range(len(patch)):
        with pytest.raises(PatchTruncated):
            apply(base, patch[:length])


def test_patch_that_makes_another_target_is_refused() -> None:
    with pytest.raises(TargetMismatch):
        apply(_BASE, with_header(_PATCH, target_identity=bytes(16)))
    raw = encode(b"old text", b"new text").raw
    with pytest.raises(TargetMismatch):
        apply(b"old text", with_header(raw, target_identity=bytes(16)))


def test_body_hash_at_another_place_makes_another_target() -> None:
    offset = PatchHeader.from_bytes(_PATCH).body_hash_off
    with pytest.raises(TargetMismatch):
        apply(_BASE, with_header(_PATCH, body_hash_off=offset - 1))


@settings(max_examples=150)
@given(st.data())
def test_changed_patches_end_in_the_same_error_in_both_decoders(data: st.DataObject) -> None:
    """A changed stream may still make the target's manifest: then only bytes outside of body and manifest differ."""
    patch = bytearray(_PATCH)
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(HEADER_SIZE, len(patch) - 1))
        patch[at] ^= data.draw(st.integers(1, 255))
    assert applied(_BASE, bytes(patch)) == outcome(_BASE, bytes(patch))


@settings(max_examples=60)
@given(raw_pairs(), st.binary(max_size=200))
def test_random_streams_end_in_the_same_error_in_both_decoders(pair: tuple[bytes, bytes], stream: bytes) -> None:
    base, target = pair
    patch = encode(base, target).raw[:HEADER_SIZE] + stream
    assert applied(base, patch) == outcome(base, patch)


@settings(max_examples=20)
@given(image_pairs())
def test_derived_fields_are_right(pair: tuple[Image, Image]) -> None:
    """Image checks each of them: module end, body hash, SHA-256, CRC."""
    base, target = pair
    made = Image.from_bytes(apply(base.raw, encode(base.raw, target.raw).raw))
    assert made.identity == target.identity


def test_lengths_are_held_against_the_header() -> None:
    """A header that promises less, or more, than its stream makes."""
    raw = encode(b"old text" * 9, b"new text" * 9).raw
    with pytest.raises((PatchRangeError, PatchTrailing)):
        apply(b"old text" * 9, with_header(raw, target_len=5))
    with pytest.raises((PatchTruncated, PatchRangeError)):
        apply(b"old text" * 9, with_header(raw, target_len=5000))


def test_header_that_breaks_a_rule_is_refused_by_the_decoder_itself() -> None:
    raw = bytearray(_PATCH)
    raw[6] = 7
    assert outcome(_BASE, resealed(bytes(raw))) is OtaStatus.ERR_PATCH_HEADER
    with pytest.raises(PatchHeaderError):
        codec.apply_patch(_BASE, resealed(bytes(raw)), len(_TARGET), 0)


def test_target_larger_than_its_room_is_refused() -> None:
    with pytest.raises(PatchTooLarge):
        codec.apply_patch(_BASE, _PATCH, len(_TARGET) - 1, 0)


def test_base_of_another_length_is_refused_by_the_decoder_itself() -> None:
    with pytest.raises(BaseImageMismatch):
        codec.apply_patch(_BASE + b"x", _PATCH, len(_TARGET), 0)


def test_status_of_no_patch_is_a_plain_error() -> None:
    assert type(error_for(OtaStatus.ERR_BUFFER)) is MusterError
    assert error_for(OtaStatus.ERR_BUFFER).status is OtaStatus.ERR_BUFFER
