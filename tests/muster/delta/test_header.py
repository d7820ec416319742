# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from muster.delta import (
    HEADER_SIZE_MAX,
    BaseImageMismatch,
    ImageLayout,
    Patch,
    PatchHeader,
    PatchHeaderError,
    PatchKind,
    PatchProfile,
    PatchTruncated,
    encode,
)
from muster.delta.header import LENGTH_MAX
from tests.muster.delta.pairs import module_of
from tests.vectors import fixed

_OLD, _NEW = b"old text", b"new text"
_IMAGE = encode(fixed.small_image().raw, fixed.large_image().raw)
_FULL = encode(b"", fixed.small_image().raw, profile=PatchProfile.LARGE)
_RAW = encode(_OLD, _NEW, load_base=0x0802_0000)
_MODULE = encode(module_of(_OLD), module_of(_NEW + b"!"))
_FULL_MODULE = encode(b"", module_of(_NEW, prefix_at=0x184))
_ALL = {"image": _IMAGE, "full": _FULL, "raw": _RAW, "module": _MODULE, "full module": _FULL_MODULE}
AllPatches = pytest.mark.parametrize("patch", _ALL.values(), ids=_ALL)


@AllPatches
def test_header_survives_its_bytes(patch: Patch) -> None:
    header = PatchHeader.from_bytes(patch.raw)
    assert header == patch.header
    assert header.to_bytes() == patch.raw[: header.size]
    assert 6 <= header.size <= HEADER_SIZE_MAX


@given(
    kind=st.sampled_from(PatchKind),
    profile=st.integers(0, 3),
    base_check=st.none() | st.binary(min_size=3, max_size=3),
    target_check=st.binary(min_size=4, max_size=4),
    load_base=st.integers(0, 0xFF_FFFF).map(lambda number: number * 256),
    length_change=st.integers(-LENGTH_MAX // 4, LENGTH_MAX // 4),
    reloc_change=st.integers(-LENGTH_MAX // 4, LENGTH_MAX // 4),
)
def test_any_header_survives_its_bytes(
    kind: PatchKind,
    profile: int,
    base_check: bytes | None,
    target_check: bytes,
    load_base: int,
    length_change: int,
    reloc_change: int,
) -> None:
    is_image = kind is PatchKind.IMAGE
    knows_load_base = is_image or (kind is not PatchKind.RAW and base_check is not None)
    header = PatchHeader(
        profile=profile,
        kind=kind,
        base_check=base_check,
        target_check=target_check,
        load_base=None if knows_load_base else load_base,
        length_change=4 * length_change if is_image else length_change,
        reloc_change=4 * reloc_change if is_image else length_change,
    )
    raw = header.to_bytes()
    assert len(raw) == header.size <= HEADER_SIZE_MAX
    assert PatchHeader.from_bytes(raw + b"and what follows") == header
    for length in range(len(raw)):
        with pytest.raises(PatchTruncated):
            PatchHeader.from_bytes(raw[:length])


def test_fields_stand_where_the_specification_says() -> None:
    small, large = fixed.small_image(), fixed.large_image()
    grown = (len(large.raw) - len(small.raw)) // 4
    moved = (large.manifest.reloc_start - small.manifest.reloc_start) // 4
    first = 2 << 5 | 1 << 3 | 4 | 1
    head = bytes([first]) + small.identity[:3] + large.identity[:4]
    assert _IMAGE.raw.startswith(head + _leb128(2 * grown) + _leb128(2 * moved))

    head = bytes([2 << 5 | 1 << 3 | 4 | 0]) + hashlib.sha256(_OLD).digest()[:3] + hashlib.sha256(_NEW).digest()[:4]
    assert _RAW.raw.startswith(head + _leb128(0x0802_0000 // 256) + b"\0")

    shorter = encode(_OLD, _NEW[:5])
    assert shorter.raw[9:10] == bytes([2 * 3 - 1])

    module = module_of(_NEW, prefix_at=0x184)
    head = bytes([2 << 5 | 1 << 3 | 3]) + hashlib.sha256(module).digest()[:4]
    assert _FULL_MODULE.raw.startswith(head + _leb128(0x0802_0000 // 256) + _leb128(2 * len(module)))
    assert _FULL.raw[0] == 2 << 5 | 2 << 3 | 1
    assert _MODULE.raw[0] == 2 << 5 | 1 << 3 | 4 | 2


def _leb128(value: int) -> bytes:
    return bytes([value]) if value < 128 else bytes([value & 127 | 128]) + _leb128(value >> 7)


@AllPatches
def test_too_few_bytes_are_a_truncated_patch(patch: Patch) -> None:
    for length in range(patch.header.size):
        with pytest.raises(PatchTruncated):
            PatchHeader.from_bytes(patch.raw[:length])


@pytest.mark.parametrize("number", [0, 1, 3, 4, 5, 6, 7])
def test_unknown_format_is_refused(number: int) -> None:
    with pytest.raises(PatchHeaderError):
        PatchHeader.from_bytes(bytes([number << 5 | _RAW.raw[0] & 0x1F]) + _RAW.raw[1:])


@pytest.mark.parametrize("number", range(4))
def test_any_profile_has_a_header(number: int) -> None:
    raw = bytes([_RAW.raw[0] & 0xE7 | number << 3]) + _RAW.raw[1:]
    assert PatchHeader.from_bytes(raw).profile == number


@pytest.mark.parametrize("number", [b"\x80\x00", b"\x81\x80\x00", b"\x80\x80\x80\x80\x01", b"\xff\xff\xff\xff\x7f"])
def test_number_has_one_form(number: bytes) -> None:
    """At most four bytes, the last of which is not 0."""
    raw = _RAW.header.to_bytes()
    with pytest.raises(PatchHeaderError):
        PatchHeader.from_bytes(raw[:-1] + number)


def test_load_base_has_32_bits() -> None:
    raw = _RAW.raw[:8]
    assert PatchHeader.from_bytes(raw + b"\xff\xff\xff\x07" + b"\0").load_base == 0xFFFF_FF00
    with pytest.raises(PatchHeaderError):
        PatchHeader.from_bytes(raw + b"\x80\x80\x80\x08" + b"\0")


@pytest.mark.parametrize(
    ("patch", "changes"),
    [
        (_RAW, {"profile": 4}),
        (_RAW, {"profile": -1}),
        (_RAW, {"target_check": bytes(3)}),
        (_RAW, {"base_check": bytes(4)}),
        (_RAW, {"load_base": None}),
        (_RAW, {"load_base": 128}),
        (_RAW, {"load_base": 1 << 32}),
        (_RAW, {"load_base": -256}),
        (_RAW, {"reloc_change": 4}),
        (_IMAGE, {"load_base": 0x0802_0000}),
        (_IMAGE, {"length_change": 2}),
        (_IMAGE, {"reloc_change": 2}),
        (_MODULE, {"load_base": 0x0802_0000}),
        (_FULL_MODULE, {"load_base": None}),
    ],
    ids=str,
)
def test_rules_of_the_fields_hold(patch: Patch, changes: dict[str, Any]) -> None:
    with pytest.raises(PatchHeaderError):
        replace(patch.header, **changes)


def test_target_has_a_possible_length() -> None:
    assert _IMAGE.header.target_length(len(fixed.small_image().raw)) == len(fixed.large_image().raw)
    assert _FULL.header.target_length(12_345) == len(fixed.small_image().raw)
    shorter = encode(_OLD, _NEW[:5]).header
    assert shorter.target_length(3) == 0
    with pytest.raises(PatchHeaderError):
        shorter.target_length(2)
    longer = encode(_OLD, _NEW + b"!").header
    assert longer.target_length(LENGTH_MAX - 1) == LENGTH_MAX
    with pytest.raises(PatchHeaderError):
        longer.target_length(LENGTH_MAX)


def test_base_is_recognized_by_its_check() -> None:
    _IMAGE.header.check_base(fixed.small_image().raw)
    _RAW.header.check_base(_OLD)
    _FULL.header.check_base(b"anything")
    for header, base in (
        (_RAW.header, _NEW),
        (_RAW.header, b""),
        (_IMAGE.header, fixed.large_image().raw),
        (_IMAGE.header, b"no image"),
        (_IMAGE.header, b""),
    ):
        with pytest.raises(BaseImageMismatch):
            header.check_base(base)


def test_image_is_named_by_its_identity_and_other_bytes_by_their_hash() -> None:
    """So a signature more or less makes no other base."""
    small, signed = fixed.small_image(), fixed.signed_image("release-1")
    assert small.raw != signed.raw
    layouts = [ImageLayout.of(image.raw, PatchKind.IMAGE) for image in (small, signed)]
    assert layouts[0].base_check == layouts[1].base_check == small.identity[:3]
    assert layouts[0].reloc_start == small.manifest.reloc_start
    for kind in (PatchKind.RAW, PatchKind.MODULE_AT_0):
        layout = ImageLayout.of(small.raw, kind)
        assert layout.target_check == hashlib.sha256(small.raw).digest()[:4]
        assert layout.reloc_start == layout.length == len(small.raw)
