# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from muster.device.identity_page import ANY_CHIP, IdentityPage
from muster.errors import IdentityPageError, MusterError, ValueOutOfRange
from muster.layout import Lifecycle
from muster.signing.keys import PrivateKey, PublicKey
from muster.signing.keyset import RootKeys
from muster.status import OtaStatus
from tests.vectors import fixed
from tests.vectors.reading import Case, cases

_ROOT = RootKeys(1, fixed.public("root-1"))


@st.composite
def pages(draw: st.DrawFn) -> IdentityPage:
    keys = draw(st.lists(st.binary(min_size=32, max_size=32), min_size=1, max_size=3))
    lifecycle = draw(st.sampled_from(list(Lifecycle)))
    device_ids = st.binary(min_size=12, max_size=12)
    return IdentityPage(
        product_id=draw(st.integers(1, 65_534)),
        hardware_revision=draw(st.integers(0, 65_535)),
        lifecycle=lifecycle,
        roots=RootKeys(draw(st.integers(1, len(keys))), tuple(PublicKey(key) for key in keys)),
        device_id=draw(
            device_ids if lifecycle is Lifecycle.DEVELOPMENT else device_ids.filter(lambda chip: chip != ANY_CHIP)
        ),
        device_key=PrivateKey(draw(st.binary(min_size=32, max_size=32))),
    )


@pytest.mark.parametrize("case", cases("boot/identity_pages.json"), ids=lambda case: case["name"])
def test_golden_page(case: Case) -> None:
    raw, chip_id = bytes.fromhex(case["page"]), bytes.fromhex(case["chip_id"])
    if case["status"] != 0:
        with pytest.raises(IdentityPageError) as refused:
            IdentityPage.from_bytes(raw, chip_id)
        assert refused.value.status is OtaStatus(case["status"])
        return
    fields = case["fields"]
    page = IdentityPage.from_bytes(raw, chip_id)
    assert page == IdentityPage(
        product_id=fields["product_id"],
        hardware_revision=fields["hardware_revision"],
        lifecycle=Lifecycle(fields["lifecycle"]),
        roots=RootKeys(fields["root_threshold"], tuple(PublicKey(bytes.fromhex(key)) for key in fields["roots"])),
        device_id=bytes.fromhex(fields["device_id"]),
        device_key=PrivateKey(bytes.fromhex(fields["device_seed"])),
    )
    assert page.device_key.public_key.raw.hex() == fields["device_public_key"]


@given(pages())
@settings(max_examples=50)
def test_every_page_survives_its_encoding(page: IdentityPage) -> None:
    raw = page.to_bytes()
    assert len(raw) == 1024
    assert IdentityPage.from_bytes(raw) == page
    assert IdentityPage.from_bytes(raw, page.device_id) == page
    assert IdentityPage.from_bytes(b"\xff" * 512 + raw[512:]) == page


@given(st.binary(max_size=200) | st.binary(min_size=1024, max_size=1024))
def test_random_bytes_raise_only_our_errors(raw: bytes) -> None:
    with pytest.raises(MusterError):
        IdentityPage.from_bytes(raw)


def test_flipped_byte_anywhere_in_both_copies_is_refused() -> None:
    page = IdentityPage(7, 1, Lifecycle.PRODUCTION, _ROOT, b"c" * 12, PrivateKey(bytes(32)))
    copy = page.to_bytes()[:512]
    for at in range(512):
        flipped = bytearray(copy)
        flipped[at] ^= 1 << at % 8
        with pytest.raises(IdentityPageError):
            IdentityPage.from_bytes(bytes(flipped + flipped))
        assert IdentityPage.from_bytes(bytes(flipped) + copy) == page


def test_production_identity_for_any_chip_cannot_be_made() -> None:
    with pytest.raises(ValueOutOfRange, match="any chip"):
        IdentityPage(7, 1, Lifecycle.PRODUCTION, _ROOT, ANY_CHIP, PrivateKey(bytes(32)))


def test_private_key_is_not_shown() -> None:
    page = IdentityPage(7, 1, Lifecycle.DEVELOPMENT, _ROOT, ANY_CHIP, PrivateKey(b"k" * 32))
    assert "kkkk" not in repr(page)
