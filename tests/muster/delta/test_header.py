# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import zlib
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from muster.delta import HEADER_SIZE, Patch, PatchHeader, PatchHeaderError, PatchKind, PatchTruncated, encode
from tests.vectors import fixed

_IMAGE = encode(fixed.small_image().raw, fixed.signed_image("release-1").raw)
_FULL = encode(b"", fixed.small_image().raw)
_RAW = encode(b"old text", b"new text")


def resealed(header: bytes) -> bytes:
    """The header with the CRC that its bytes have."""
    return header[:60] + zlib.crc32(header[:60]).to_bytes(4, "little") + header[64:]


@pytest.mark.parametrize("patch", [_IMAGE, _FULL, _RAW], ids=["image", "full", "raw"])
def test_header_survives_its_bytes(patch: Patch) -> None:
    header = PatchHeader.from_bytes(patch.raw)
    assert header == patch.header
    assert header.to_bytes() == patch.raw[:HEADER_SIZE]


def test_fields_stand_where_the_specification_says() -> None:
    raw, header = _IMAGE.raw, _IMAGE.header
    assert raw[:8] == b"MUSP" + bytes([1, 1, 1, header.body_hash_off])
    assert raw[8:12] == (0x0802_0000).to_bytes(4, "little")
    assert raw[12:16] == header.base_len.to_bytes(4, "little")
    assert raw[16:20] == header.base_reloc_start.to_bytes(4, "little")
    assert raw[20:24] == header.target_len.to_bytes(4, "little")
    assert raw[24:28] == header.target_reloc_start.to_bytes(4, "little")
    assert raw[28:44] == header.base_identity
    assert raw[44:60] == header.target_identity
    assert raw[60:64] == zlib.crc32(raw[:60]).to_bytes(4, "little")


@pytest.mark.parametrize("length", [0, 1, 63])
def test_too_few_bytes_are_a_truncated_patch(length: int) -> None:
    with pytest.raises(PatchTruncated):
        PatchHeader.from_bytes(_RAW.raw[:length])


@given(st.integers(0, 8 * HEADER_SIZE - 1))
def test_any_flipped_bit_is_noticed(bit: int) -> None:
    raw = bytearray(_IMAGE.raw)
    raw[bit // 8] ^= 1 << bit % 8
    with pytest.raises(PatchHeaderError):
        PatchHeader.from_bytes(bytes(raw))


@pytest.mark.parametrize(("at", "value"), [(0, 0x6D), (4, 0), (4, 2), (6, 2), (6, 255)], ids=str)
def test_unknown_magic_version_or_kind_is_refused(at: int, value: int) -> None:
    raw = bytearray(_RAW.raw)
    raw[at] = value
    with pytest.raises(PatchHeaderError):
        PatchHeader.from_bytes(resealed(bytes(raw)))


def test_other_profiles_are_headers_too() -> None:
    raw = bytearray(_RAW.raw)
    raw[5] = 2
    assert PatchHeader.from_bytes(resealed(bytes(raw))).profile == 2


@pytest.mark.parametrize(
    "changes",
    [
        {"profile": 256},
        {"profile": -1},
        {"base_len": -4},
        {"base_len": 0x0100_0004},
        {"target_len": 0x0100_0004},
        {"load_base": 0xFF00_0000},
        {"load_base": 0x0802_0002},
        {"base_identity": bytes(15)},
        {"target_identity": bytes(17)},
        {"body_hash_off": 3},
        {"body_hash_off": 69},
        {"base_len": 0},
        {"target_reloc_start": 0x198},
        {"target_reloc_start": 0x19E},
        {"base_reloc_start": 0x198},
        {"target_len": _IMAGE.header.target_len + 2},
        {"target_len": 968},
        {"target_reloc_start": _IMAGE.header.target_len - 556},
        {"base_reloc_start": _IMAGE.header.base_len - 556},
        {"base_len": 0, "base_identity": bytes(16)},
    ],
    ids=str,
)
def test_fields_of_an_image_patch_are_checked(changes: dict[str, int]) -> None:
    with pytest.raises(PatchHeaderError):
        replace(_IMAGE.header, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize("changes", [{"body_hash_off": 4}, {"base_reloc_start": 4}, {"target_reloc_start": 4}], ids=str)
def test_raw_patch_has_no_fields_of_an_image(changes: dict[str, int]) -> None:
    with pytest.raises(PatchHeaderError):
        replace(_RAW.header, **changes)  # type: ignore[arg-type]


def test_a_raw_load_base_may_be_odd() -> None:
    assert replace(_RAW.header, load_base=3).kind is PatchKind.RAW
