# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import hashlib
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from muster.errors import ManifestError, MusterError, ValueOutOfRange
from muster.image.manifest import Manifest
from muster.layout import BODY_MIN_SIZE, SLOT_SIZE, TAIL_SIZE
from muster.status import OtaStatus
from tests.vectors.reading import Case, cases

_CASES = cases("image/manifests.json")
_SMALL = Manifest.from_bytes(bytes.fromhex(_CASES[0]["manifest"]))


@st.composite
def manifests(draw: st.DrawFn) -> Manifest:
    ids = st.integers(1, 65_534)
    u16 = st.integers(0, 65_535)
    lowest = draw(u16)
    reloc_start = 4 * draw(st.integers(BODY_MIN_SIZE // 4, (SLOT_SIZE - TAIL_SIZE) // 4 - 1))
    return Manifest(
        product_id=draw(ids),
        product_version=draw(ids),
        platform_id=draw(u16),
        hardware_lowest=lowest,
        hardware_highest=draw(st.integers(lowest, 65_535)),
        security_counter=draw(st.integers(0, 2**32 - 1)),
        reloc_start=reloc_start,
        ext_start=4 * draw(st.integers(reloc_start // 4 + 1, (SLOT_SIZE - TAIL_SIZE) // 4)),
        body_hash=draw(st.binary(min_size=32, max_size=32)),
        min_bootloader=draw(u16),
    )


@pytest.mark.parametrize("case", _CASES, ids=lambda case: case["name"])
def test_golden_manifest(case: Case) -> None:
    raw = bytes.fromhex(case["manifest"])
    if case["status"] == 0:
        manifest = Manifest.from_bytes(raw)
        fields = {**case["fields"], "body_hash": bytes.fromhex(case["fields"]["body_hash"])}
        assert manifest == Manifest(**fields)
        assert manifest.to_bytes() == raw
        assert manifest.identity.hex() == case["identity"] == hashlib.sha256(raw).hexdigest()
    else:
        with pytest.raises(ManifestError) as refused:
            Manifest.from_bytes(raw)
        assert refused.value.status is OtaStatus(case["status"])


@given(manifests())
def test_every_manifest_survives_its_encoding(manifest: Manifest) -> None:
    raw = manifest.to_bytes()
    assert Manifest.from_bytes(raw) == manifest
    assert len(raw) <= 96
    assert manifest.identity_prefix == manifest.identity[:16]


@given(st.binary(max_size=120))
def test_random_bytes_raise_only_our_errors(raw: bytes) -> None:
    with pytest.raises(MusterError):
        Manifest.from_bytes(raw)


@given(manifests(), st.data())
def test_flipped_byte_is_refused_or_another_manifest(manifest: Manifest, data: st.DataObject) -> None:
    raw = bytearray(manifest.to_bytes())
    at = data.draw(st.integers(0, len(raw) - 1))
    raw[at] ^= data.draw(st.integers(1, 255))
    try:
        parsed = Manifest.from_bytes(bytes(raw))
    except ManifestError:
        return
    assert parsed.to_bytes() == bytes(raw)
    assert parsed.identity != manifest.identity


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("product_id", 0),
        ("product_id", 65_535),
        ("product_version", 65_535),
        ("hardware_lowest", 4),
        ("security_counter", 2**32),
        ("reloc_start", 0x198),
        ("reloc_start", 0x19E),
        ("reloc_start", _SMALL.ext_start),
        ("ext_start", SLOT_SIZE - TAIL_SIZE + 4),
        ("body_hash", bytes(31)),
        ("min_bootloader", -1),
    ],
)
def test_field_out_of_range_cannot_be_made(field: str, value: object) -> None:
    with pytest.raises(ValueOutOfRange):
        replace(_SMALL, **{field: value})  # type: ignore[arg-type]
