# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from muster.device import bootlog
from muster.device.bootlog import SECTOR_SIZE, BootLog, RecordType
from muster.device.hexfile import HexSegment, board_hex, factory_hex, factory_record, hex_text, segments_of
from muster.device.identity_page import IdentityPage
from muster.device.identity_stub import IdentityStub
from muster.device.provision import development_device_key, development_identity
from muster.errors import HexFormatError, ImageRefused, ImageTooLong, KeySetRefused, ValueOutOfRange
from muster.image.image import Image
from muster.layout import BOOTLOADER_SIZE_MAX, FLASH_ADDR, FLASH_SIZE, IDENTITY_ADDR, SLOT_A_ADDR, Lifecycle, Slot
from muster.signing.keyset import KeySet
from muster.status import OtaStatus
from tests.vectors import fixed

_IMAGE = fixed.signed_image("development-1")
_RELEASED = fixed.signed_image("release-1", "release-2")
_KEYSET = fixed.keyset_v1()
_IDENTITY = development_identity(
    1234, 2, _KEYSET.content.roots, development_device_key(fixed.key("development-1"), 1234, 6)
)
_BOOTLOADER = bytes(range(256)) * 16


def _flash(text: str) -> bytes:
    flash = bytearray(b"\xff" * FLASH_SIZE)
    for segment in segments_of(text):
        at = segment.addr - FLASH_ADDR
        flash[at : at + len(segment.data)] = segment.data
    return bytes(flash)


def test_blank_board_with_it_has_everything_it_needs() -> None:
    flash = _flash(board_hex(_BOOTLOADER, _IMAGE, _IDENTITY, _KEYSET))
    assert flash[: len(_BOOTLOADER)] == _BOOTLOADER
    at = IDENTITY_ADDR - FLASH_ADDR
    assert IdentityPage.from_bytes(flash[at : at + 1024]) == _IDENTITY
    assert _IDENTITY.lifecycle is Lifecycle.DEVELOPMENT
    log = BootLog.from_sectors(flash[0x8000 : 0x8000 + SECTOR_SIZE], flash[0xC000 : 0xC000 + SECTOR_SIZE])
    assert (log.sector, log.keyset, log.next_place) == (2, _KEYSET, 1)
    confirmed = log.facts.confirmed
    assert confirmed is not None
    assert (confirmed.type, confirmed.slot, confirmed.attempt) == (RecordType.CONFIRMED, Slot.A, 0)
    assert confirmed.identity == _IMAGE.identity[:16]
    assert confirmed.security_counter == _IMAGE.manifest.security_counter
    assert Image.from_slot(flash[SLOT_A_ADDR - FLASH_ADDR :], Slot.A) == _IMAGE


def test_log_of_an_earlier_life_does_not_rule() -> None:
    old = bytearray(_flash(board_hex(_BOOTLOADER, _IMAGE, _IDENTITY, _KEYSET)))
    old[0xC000:0x10000] = bootlog.new_sector(99, [_KEYSET], [])
    for segment in segments_of(board_hex(_BOOTLOADER, _IMAGE, _IDENTITY, _KEYSET)):
        at = segment.addr - FLASH_ADDR
        old[at : at + len(segment.data)] = segment.data
    assert BootLog.from_sectors(bytes(old[0x8000:0xC000]), bytes(old[0xC000:0x10000])).sector == 2


def test_equal_inputs_give_equal_bytes() -> None:
    first, second = (board_hex(_BOOTLOADER, _IMAGE, _IDENTITY, _KEYSET) for _ in range(2))
    assert first == second
    assert first.startswith(":")
    assert first.endswith(":00000001FF\n")
    assert "\r" not in first


def test_device_key_depends_on_product_platform_and_development_key() -> None:
    keys = {
        development_device_key(fixed.key(name), product_id, platform_id).seed
        for name in ("development-1", "stranger-1")
        for product_id in (1, 2)
        for platform_id in (6, 8)
    }
    assert len(keys) == 8
    assert fixed.key("development-1").seed not in keys


def test_bootloader_may_reach_up_to_the_identity_page() -> None:
    board_hex(bytes(BOOTLOADER_SIZE_MAX), _IMAGE, _IDENTITY, _KEYSET)
    with pytest.raises(ImageTooLong):
        board_hex(bytes(BOOTLOADER_SIZE_MAX + 1), _IMAGE, _IDENTITY, _KEYSET)


@pytest.mark.parametrize("change", [{"slot": Slot.B}, {"type": RecordType.STAGED}])
def test_other_record_is_refused(change: dict[str, Slot]) -> None:
    record = replace(factory_record(_IMAGE), **change)  # type: ignore[arg-type]
    with pytest.raises(ValueOutOfRange):
        board_hex(_BOOTLOADER, _IMAGE, _IDENTITY, _KEYSET, record)


def test_overlap_is_refused() -> None:
    with pytest.raises(ValueOutOfRange, match="overlap"):
        hex_text([HexSegment(0x100, bytes(16)), HexSegment(0x10F, bytes(4))])


_DEVELOPMENT = board_hex(_BOOTLOADER, _IMAGE, _IDENTITY, _KEYSET)


def test_factory_hex_has_a_stub_instead_of_a_key() -> None:
    flash = _flash(factory_hex(_DEVELOPMENT, _RELEASED, _KEYSET))
    assert flash[: len(_BOOTLOADER)] == _BOOTLOADER
    at = IDENTITY_ADDR - FLASH_ADDR
    stub = IdentityStub(1234, 2, Lifecycle.PRODUCTION, _KEYSET.content.roots)
    assert flash[at : at + 1024] == stub.to_bytes()
    assert Image.from_slot(flash[SLOT_A_ADDR - FLASH_ADDR :], Slot.A) == _RELEASED


def test_factory_hex_of_an_image_that_production_boards_refuse_cannot_be_made() -> None:
    with pytest.raises(ImageRefused) as refused:
        factory_hex(_DEVELOPMENT, _IMAGE, _KEYSET)
    assert refused.value.status is OtaStatus.ERR_SIGNERS


def test_factory_hex_with_a_key_set_of_other_roots_cannot_be_made() -> None:
    strangers = KeySet.signed(_KEYSET.content, [fixed.signer("stranger-1")])
    with pytest.raises(KeySetRefused):
        factory_hex(_DEVELOPMENT, _RELEASED, strangers)


def test_factory_hex_needs_a_development_hex() -> None:
    with pytest.raises(HexFormatError, match="0x08000000"):
        factory_hex(hex_text([HexSegment(IDENTITY_ADDR, _IDENTITY.to_bytes())]), _RELEASED, _KEYSET)
    with pytest.raises(HexFormatError, match="0x08007C00"):
        factory_hex(hex_text([HexSegment(FLASH_ADDR, _BOOTLOADER)]), _RELEASED, _KEYSET)


@given(st.integers(0, 2**32 - 100), st.binary(min_size=1, max_size=100))
def test_every_segment_survives_its_encoding(addr: int, data: bytes) -> None:
    assert segments_of(hex_text([HexSegment(addr, data)])) == [HexSegment(addr, data)]


@pytest.mark.parametrize("text", ["x", ":", ":00000001FE", ":10000000FF\n", ":0000000\n", "\x00", ":é"])
def test_other_text_is_refused(text: str) -> None:
    with pytest.raises(HexFormatError):
        segments_of(text)


@given(st.text(max_size=60))
def test_random_text_raises_only_our_errors(text: str) -> None:
    try:
        segments_of(text)
    except HexFormatError:
        return
