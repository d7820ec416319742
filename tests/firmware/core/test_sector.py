# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

from muster.layout import Slot
from tests.firmware.core.machine import FLASH_ADDR, SECTOR_ADDRS, SECTOR_SIZES, Machine


@pytest.mark.parametrize("sector", range(12))
def test_sectors_are_the_chips(machine: Machine, sector: int) -> None:
    assert machine.lib.ota_sector_addr(sector) == SECTOR_ADDRS[sector]
    assert machine.lib.ota_sector_size(sector) == SECTOR_SIZES[sector]


def test_sectors_fill_the_flash_and_slots_begin_with_their_sectors(machine: Machine) -> None:
    assert SECTOR_ADDRS[11] + SECTOR_SIZES[11] == FLASH_ADDR + 0x100000
    assert SECTOR_ADDRS[machine.lib.OTA_SLOT_FIRST_SECTOR_A] == Slot.A.addr == machine.lib.OTA_SLOT_A_ADDR
    assert SECTOR_ADDRS[machine.lib.OTA_SLOT_FIRST_SECTOR_B] == Slot.B.addr == machine.lib.OTA_SLOT_B_ADDR


@pytest.mark.parametrize("at", [0, 127, 128, 0x3FFF])
def test_one_bit_makes_a_sector_not_blank(machine: Machine, at: int) -> None:
    blank = machine.new("bool *")
    assert machine.lib.ota_flash_is_blank(machine.flash, SECTOR_ADDRS[2], 0x4000, blank) == 0
    assert blank[0]
    machine.load(SECTOR_ADDRS[2] + at, b"\xfe")
    assert machine.lib.ota_flash_is_blank(machine.flash, SECTOR_ADDRS[2], 0x4000, blank) == 0
    assert not blank[0]


def test_blank_sector_is_not_worn(machine: Machine) -> None:
    assert machine.lib.ota_sector_make_blank(machine.flash, 3) == 0
    assert machine.model.erases[3] == 0
    machine.load(SECTOR_ADDRS[3] + 5, b"\x00")
    assert machine.lib.ota_sector_make_blank(machine.flash, 3) == 0
    assert machine.model.erases[3] == 1
    assert machine.dump_sector(3) == b"\xff" * 0x4000
