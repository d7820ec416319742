# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import Any

import pytest

from tests.firmware.core.machine import FLASH_ADDR, Machine
from tests.vectors.reading import Case, case, cases

IDENTITY_ADDR = FLASH_ADDR + 0x7C00
ERR_IDENTITY_PAGE = -32


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
