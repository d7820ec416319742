# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import hashlib
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from muster.errors import MusterError, ValueOutOfRange
from muster.image.image import Image
from muster.layout import Slot
from muster.signing.signer import sign_image
from muster.status import OtaStatus
from tests.vectors import fixed
from tests.vectors.reading import Case, case, cases

_SIGNED = fixed.signed_image("release-1", "release-2")


@pytest.mark.parametrize("case", cases("image/images.json"), ids=lambda case: case["name"])
def test_golden_image(case: Case) -> None:
    raw = bytes.fromhex(case["image"])
    slot = Slot[case["slot"]]
    if case["status"] != 0:
        with pytest.raises(MusterError) as refused:
            Image.from_slot(raw, slot)
        assert refused.value.status is OtaStatus(case["status"])
        return
    image = Image.from_slot(raw, slot)
    assert image.identity.hex() == case["identity"]
    assert len(image.raw) == case["length"]
    assert (image.manifest.reloc_start, image.manifest.ext_start) == (case["reloc_start"], case["ext_start"])
    assert list(image.reloc.words) == case["words"]
    assert [signature.key_id.hex() for signature in image.signatures] == case["key_ids"]
    assert image.installed_in(slot) == raw


def test_images_in_both_slots_are_the_same_image() -> None:
    for stored in cases("image/images.json"):
        if "canonical" in stored:
            canonical = bytes.fromhex(case("image/images.json", stored["canonical"])["image"])
            assert Image.from_slot(bytes.fromhex(stored["image"]), Slot.B) == Image.from_bytes(canonical)


def test_bytes_stand_where_the_specification_says() -> None:
    raw = _SIGNED.raw
    ext_start = len(raw) - 556
    assert _SIGNED.manifest.ext_start == ext_start
    assert raw[0x184:0x188] == bytes.fromhex("00000208")
    assert int.from_bytes(raw[0x188:0x18C], "little") == 0x0802_0000 + len(raw) - 4
    assert raw[0x18C:0x19C] == bytes.fromhex("00000100 0600 03 00 02 00 0100 00000000")
    assert raw[ext_start : ext_start + 2] == b"\x00\x81"
    assert raw[-58:-44] == bytes.fromhex("0100 0a00 ffff d204 0700 0000 0400")
    assert raw[-44:-38] == bytes.fromhex("d204 0700 0000")
    assert raw[-38:-6] == hashlib.sha256(raw[:-38]).digest()
    assert raw[-6:-4] == bytes.fromhex("2802")
    assert int.from_bytes(raw[-4:], "big") == zlib.crc32(raw[:-4])
    assert _SIGNED.manifest.body_hash == hashlib.sha256(raw[:ext_start]).digest()


@pytest.mark.parametrize("slot", list(Slot))
def test_flipped_byte_anywhere_is_refused(slot: Slot) -> None:
    installed = _SIGNED.installed_in(slot)
    for at in range(len(installed)):
        flipped = bytearray(installed)
        flipped[at] ^= 1 << at % 8
        with pytest.raises(MusterError) as refused:
            Image.from_slot(bytes(flipped), slot)
        assert refused.value.status is not None


@given(st.binary(max_size=3000), st.sampled_from(list(Slot)))
def test_random_bytes_raise_only_our_errors(raw: bytes, slot: Slot) -> None:
    with pytest.raises(MusterError):
        Image.from_slot(raw, slot)


@given(st.data())
@settings(max_examples=200)
def test_image_with_random_edits_raises_only_our_errors(data: st.DataObject) -> None:
    raw = bytearray(_SIGNED.raw)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(raw) - 1))
        raw[at] ^= data.draw(st.integers(1, 255))
    if bytes(raw) != _SIGNED.raw:
        with pytest.raises(MusterError):
            Image.from_bytes(bytes(raw))


def test_what_follows_the_image_in_its_slot_is_not_looked_at() -> None:
    assert Image.from_slot(_SIGNED.installed_in(Slot.B) + b"\xff" * 100, Slot.B) == _SIGNED


@pytest.mark.parametrize("change", [lambda raw: raw + b"\xff\xff\xff\xff", lambda raw: raw[:-4], lambda raw: b""])
def test_other_length_than_claimed_is_refused(change: object) -> None:
    with pytest.raises(MusterError) as refused:
        Image.from_bytes(change(_SIGNED.raw))  # type: ignore[operator]
    assert refused.value.status is OtaStatus.ERR_IMAGE_LENGTH


def test_signatures_change_neither_identity_nor_length_nor_body() -> None:
    unsigned = fixed.small_image()
    assert _SIGNED.identity == unsigned.identity
    assert len(_SIGNED.raw) == len(unsigned.raw)
    assert _SIGNED.body == unsigned.body
    assert _SIGNED.without_signatures() == unsigned


def test_order_of_signing_does_not_matter() -> None:
    one_way = sign_image(fixed.small_image(), fixed.signer("release-1"), fixed.signer("release-2"))
    other_way = sign_image(sign_image(fixed.small_image(), fixed.signer("release-2")), fixed.signer("release-1"))
    assert one_way == other_way == _SIGNED


def test_second_signature_by_a_key_replaces_its_first() -> None:
    assert sign_image(_SIGNED, fixed.signer("release-1")) == _SIGNED


def test_fifth_signature_is_refused() -> None:
    four = fixed.signed_image("release-1", "release-2", "release-3", "release-4")
    with pytest.raises(ValueOutOfRange, match="at most 4"):
        sign_image(four, fixed.signer("development-1"))
