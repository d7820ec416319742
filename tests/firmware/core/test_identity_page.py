# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import Any

import pytest

from muster.status import OtaStatus
from tests.firmware.core.machine import FLASH_ADDR, Machine
from tests.vectors.reading import Case, case, cases

IDENTITY_ADDR = FLASH_ADDR + 0x7C00
ERR_IDENTITY_PAGE = -32
ERR_FLASH_PROGRAM = int(OtaStatus.ERR_FLASH_PROGRAM)


def read(machine: Machine, page: str, chip_id: str) -> tuple[int, Any]:
    machine.load(IDENTITY_ADDR, bytes.fromhex(page))
    out = machine.new("struct ota_identity_page *")
    return machine.lib.ota_identity_page_read(machine.flash, bytes.fromhex(chip_id), out), out


@pytest.mark.parametrize("vector", cases("boot/identity_pages.json"), ids=lambda vector: vector["name"])
def test_golden_pages(machine: Machine, vector: Case) -> None:
    status, page = read(machine, vector["page"], vector["chip_id"])
    assert status == vector["status"]
    if status == 0:
        fields = vector["fields"]
        assert page.product_id == fields["product_id"]
        assert page.hw_rev == fields["hardware_revision"]
        assert page.lifecycle == fields["lifecycle"]
        assert page.roots.threshold == fields["root_threshold"]
        assert [bytes(key).hex() for key in page.roots.keys][: page.roots.count] == fields["roots"]
        assert bytes(page.device_seed).hex() == fields["device_seed"]
        assert bytes(page.device_public_key).hex() == fields["device_public_key"]
        assert bytes(page.device_id).hex() == vector["chip_id"]


def test_flipped_bit_in_both_copies_is_found(machine: Machine) -> None:
    vector = case("boot/identity_pages.json", "production")
    good = bytes.fromhex(vector["page"])
    for at in range(512):
        page = bytearray(good)
        page[at] ^= 1 << at % 8
        page[512 + at] ^= 1 << at % 8
        assert read(machine, page.hex(), vector["chip_id"])[0] == ERR_IDENTITY_PAGE, at


def test_flash_that_cannot_be_read_is_its_own_error(machine: Machine) -> None:
    machine.model.is_off = True
    page = machine.new("struct ota_identity_page *")
    assert machine.lib.ota_identity_page_read(machine.flash, bytes(12), page) == -3


def complete(machine: Machine, vector: Case, seed: str | None = None) -> int:
    """As at a first start: with a new key."""
    chip_id, key = bytes.fromhex(vector["chip_id"]), bytes.fromhex(seed or vector["seed"])
    return int(machine.lib.ota_identity_page_complete(machine.flash, chip_id, key))


@pytest.mark.parametrize("vector", cases("boot/identity_stubs.json"), ids=lambda vector: vector["name"])
def test_golden_stubs(machine: Machine, vector: Case) -> None:
    machine.load(IDENTITY_ADDR, bytes.fromhex(vector["stub"]))
    assert complete(machine, vector) == vector["status"]
    assert machine.dump(IDENTITY_ADDR, 1024).hex() == (vector["page"] or vector["stub"])


def test_page_that_is_whole_is_not_completed_again(machine: Machine) -> None:
    vector = case("boot/identity_stubs.json", "production")
    machine.load(IDENTITY_ADDR, bytes.fromhex(vector["page"]))
    assert complete(machine, vector, "77" * 32) == ERR_IDENTITY_PAGE
    assert machine.dump(IDENTITY_ADDR, 1024).hex() == vector["page"]


@pytest.mark.parametrize("torn", [False, True])
def test_power_cut_anywhere_leaves_a_device_that_has_a_key_after_the_next_start(machine: Machine, torn: bool) -> None:
    vector = case("boot/identity_stubs.json", "production")
    stub = bytes.fromhex(vector["stub"])
    machine.load(IDENTITY_ADDR, stub)
    operations = machine.operations_of(lambda: complete(machine, vector))
    for cut in range(operations):
        machine.reset()
        machine.load(IDENTITY_ADDR, stub)
        machine.cut_at(cut, torn=torn, noise=cut + 1)
        complete(machine, vector)
        machine.power_on()
        page = machine.new("struct ota_identity_page *")
        chip_id = bytes.fromhex(vector["chip_id"])
        second = "77" * 32
        made = machine.lib.ota_identity_page_read(machine.flash, chip_id, page) == 0
        if not made:
            assert complete(machine, vector, second) == 0, cut
            assert machine.lib.ota_identity_page_read(machine.flash, chip_id, page) == 0, cut
        assert bytes(page.device_seed).hex() == (vector["seed"] if made else second), cut


def test_flash_that_refuses_is_told(machine: Machine) -> None:
    vector = case("boot/identity_stubs.json", "second copy was cut")
    machine.load(IDENTITY_ADDR, bytes.fromhex(vector["stub"]))
    machine.fail_at(3)
    assert complete(machine, vector) == ERR_FLASH_PROGRAM
