# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import zlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from muster.image.assemble import assemble
from muster.image.image import Image
from muster.layout import Slot
from muster.status import OtaStatus
from tests.firmware.core.machine import Machine
from tests.vectors import fixed
from tests.vectors.reading import Case, case, cases

ERR_FLASH_RANGE = -3
IMAGES = {vector["name"]: vector for vector in cases("image/images.json")}
LARGE = fixed.large_image()


def open_image(machine: Machine, slot: Slot) -> tuple[int, Any]:
    image = machine.new("struct ota_image *")
    return machine.lib.ota_image_open(machine.flash, slot.addr, image), image


def check_hash(machine: Machine, slot: Slot) -> int:
    """Checks 1 to 6."""
    status, image = open_image(machine, slot)
    return status or machine.lib.ota_image_check_hash(image)


def keyset(machine: Machine, raw: bytes) -> Any:
    parsed = machine.new("struct ota_keyset *")
    assert machine.lib.ota_keyset_parse(machine.buffer(raw), len(raw), parsed) == 0
    return parsed


def requirements(machine: Machine, keys: Any, **changes: int) -> Any:
    fits = {
        "product_id": 1234,
        "platform_id": 6,
        "hw_rev": 2,
        "bootloader_version": 1,
        "security_counter": 2,
        "lifecycle": 2,
    }
    return machine.new("struct ota_image_requirements *", {**fits, **changes, "keyset": keys})


def check_full(machine: Machine, slot: Slot, required: Any) -> int:
    image = machine.new("struct ota_image *")
    status: int = machine.lib.ota_image_check_full(machine.flash, slot.addr, required, image)
    return status


@pytest.mark.parametrize("name", IMAGES)
def test_golden_images(machine: Machine, name: str) -> None:
    vector = IMAGES[name]
    slot = Slot[vector["slot"]]
    machine.load_image(slot, bytes.fromhex(vector["image"]))
    assert check_hash(machine, slot) == vector["status"]
    if vector["status"] == 0:
        _, image = open_image(machine, slot)
        assert bytes(image.identity).hex() == vector["identity"]
        assert image.len == vector["length"]
        assert image.manifest.reloc_start == vector["reloc_start"]
        assert image.manifest.ext_start == vector["ext_start"]
        assert image.signature_count == len(vector["key_ids"])


@pytest.mark.parametrize("vector", cases("image/full_checks.json"), ids=lambda vector: vector["name"])
def test_golden_full_checks(machine: Machine, vector: Case) -> None:
    raw = bytes.fromhex(vector["bytes"] if "bytes" in vector else IMAGES[vector["image"]]["image"])
    required = dict(vector["requirements"])
    required["hw_rev"] = required.pop("hardware_revision")
    keys = keyset(machine, bytes.fromhex(vector["keyset"]))
    machine.load_image(Slot.A, raw)
    assert check_full(machine, Slot.A, requirements(machine, keys, **required)) == vector["status"]
    machine.load_image(Slot.B, Image.from_bytes(raw).installed_in(Slot.B))
    assert check_full(machine, Slot.B, requirements(machine, keys, **required)) == vector["status"]


def test_without_a_key_set_no_signature_counts(machine: Machine) -> None:
    machine.load_image(Slot.A, bytes.fromhex(IMAGES["four_signatures"]["image"]))
    for lifecycle in (1, 2):
        required = requirements(machine, machine.ffi.NULL, lifecycle=lifecycle)
        assert check_full(machine, Slot.A, required) == OtaStatus.ERR_SIGNERS


@pytest.mark.parametrize("slot", list(Slot))
def test_flipped_bit_anywhere_is_found(machine: Machine, slot: Slot) -> None:
    """Every byte of the small image, one bit each: no position that nothing covers."""
    raw = bytearray(fixed.signed_image("release-1", "release-2").installed_in(slot))
    for at in range(len(raw)):
        raw[at] ^= 1 << at % 8
        machine.load(slot.addr + at, bytes(raw[at : at + 1]))
        if at == 0:
            machine.load_image(slot, bytes(raw))
        assert check_hash(machine, slot) != 0, f"byte {at:#x}"
        raw[at] ^= 1 << at % 8
        machine.load(slot.addr + at, bytes(raw[at : at + 1]))
    assert check_hash(machine, slot) == 0


@pytest.mark.parametrize("at", [-38, -7])
def test_wrong_sha256_is_found_where_the_crc_holds(machine: Machine, at: int) -> None:
    raw = bytearray(fixed.small_image().raw)
    raw[at] ^= 1
    raw[-4:] = zlib.crc32(raw[:-4]).to_bytes(4, "big")
    machine.load_image(Slot.A, bytes(raw))
    assert check_hash(machine, Slot.A) == OtaStatus.ERR_HASH


@given(start=st.binary(min_size=8, max_size=8), slot=st.sampled_from(Slot), size=st.sampled_from([0, 972, 4096]))
def test_any_claim_of_length_is_checked_before_use(machine: Machine, start: bytes, slot: Slot, size: int) -> None:
    machine.reset()
    machine.load(slot.addr, bytes(size))
    machine.load(slot.addr + 0x184, start)
    assert open_image(machine, slot)[0] in (OtaStatus.ERR_IMAGE_LENGTH, OtaStatus.ERR_IMAGE_FORMAT)


@pytest.mark.parametrize("slot", list(Slot))
def test_blank_and_zero_slots_hold_no_image(machine: Machine, slot: Slot) -> None:
    assert open_image(machine, slot)[0] == OtaStatus.ERR_IMAGE_LENGTH
    machine.load_image(slot, bytes(0x60000))
    assert open_image(machine, slot)[0] == OtaStatus.ERR_IMAGE_LENGTH


def test_image_that_fills_its_slot_is_accepted(machine: Machine) -> None:
    body_size = 0x60000 - 556 - 208  # prefix and vectors hold two words: the table takes 2 + 96 * 2 + 3 bytes
    body = bytes(body_size)
    image = assemble(body, body, fixed.SPEC)
    assert len(image.raw) > 0x60000 - 64
    for slot in Slot:
        machine.load_image(slot, image.installed_in(slot))
        assert check_hash(machine, slot) == 0


@given(slot=st.sampled_from(Slot), ranges=st.lists(st.tuples(st.integers(0, 7000), st.integers(0, 700)), max_size=12))
def test_reads_are_canonical_at_any_offset(machine: Machine, slot: Slot, ranges: list[tuple[int, int]]) -> None:
    machine.load_image(slot, LARGE.installed_in(slot))
    status, image = open_image(machine, slot)
    assert status == 0
    for off, size in ranges:
        out = machine.new("uint8_t[]", size + 4)
        status = machine.lib.ota_image_read(image, off, out, size)
        if off + size <= len(LARGE.raw):
            assert status == 0
            assert bytes(machine.ffi.buffer(out, size + 4)) == LARGE.raw[off : off + size] + bytes(4)
        else:
            assert status == ERR_FLASH_RANGE


def test_read_that_wraps_around_is_refused(machine: Machine) -> None:
    machine.load_image(Slot.A, LARGE.raw)
    _, image = open_image(machine, Slot.A)
    out = machine.new("uint8_t[]", 16)
    assert machine.lib.ota_image_read(image, 8, out, 2**32 - 4) == ERR_FLASH_RANGE
    assert machine.lib.ota_image_read(image, 2**32 - 4, out, 8) == ERR_FLASH_RANGE


@pytest.mark.parametrize("slot", list(Slot))
def test_pinned_check_asks_for_the_identity_and_no_signature(machine: Machine, slot: Slot) -> None:
    small = fixed.small_image()
    machine.load_image(slot, small.installed_in(slot))
    image = machine.new("struct ota_image *")
    pin = bytearray(small.identity[:16])
    assert machine.lib.ota_image_check_pinned(machine.flash, slot.addr, bytes(pin), image) == 0
    pin[15] ^= 1
    assert machine.lib.ota_image_check_pinned(machine.flash, slot.addr, bytes(pin), image) == OtaStatus.ERR_IDENTITY


@pytest.mark.parametrize("slot", list(Slot))
def test_whole_check_reads_the_image_once(machine: Machine, slot: Slot) -> None:
    """Body hash, module hash and CRC share one pass; the rest is the table and a few hundred bytes."""
    machine.load_image(slot, LARGE.installed_in(slot))
    machine.model.reads = 0
    assert check_hash(machine, slot) == 0
    assert machine.model.reads < len(LARGE.raw) + 1500


def test_revoked_key_stops_the_full_check_but_not_the_pin(machine: Machine) -> None:
    signed = fixed.signed_image("release-1", "release-3")
    machine.load_image(Slot.A, signed.raw)
    v1 = keyset(machine, fixed.keyset_v1().to_bytes())
    v2 = keyset(machine, fixed.keyset_v2().to_bytes())
    assert check_full(machine, Slot.A, requirements(machine, v1)) == 0
    assert check_full(machine, Slot.A, requirements(machine, v2)) == OtaStatus.ERR_SIGNERS
    image = machine.new("struct ota_image *")
    assert machine.lib.ota_image_check_pinned(machine.flash, Slot.A.addr, signed.identity[:16], image) == 0


def test_canonical_image_of_slot_a_is_refused_in_slot_b(machine: Machine) -> None:
    machine.load_image(Slot.B, bytes.fromhex(case("image/images.json", "unsigned")["image"]))
    assert open_image(machine, Slot.B)[0] == OtaStatus.ERR_IMAGE_LENGTH
