# SPDX-License-Identifier: Apache-2.0
"""Constants of the flash map and of the image layout (docs/spec/boot.md section 1, docs/spec/image.md).

Addresses and sizes are in bytes.
"""

from __future__ import annotations

from enum import IntEnum, StrEnum

FLASH_ADDR = 0x0800_0000
FLASH_SIZE = 0x0010_0000
ERASED = 0xFF

BOOTLOADER_ADDR = FLASH_ADDR
BOOTLOADER_REGION_SIZE = 0x8000
IDENTITY_ADDR = 0x0800_7C00
IDENTITY_COPY_SIZE = 512
IDENTITY_PAGE_SIZE = 2 * IDENTITY_COPY_SIZE
BOOTLOADER_SIZE_MAX = IDENTITY_ADDR - BOOTLOADER_ADDR

SECTOR_SIZES = (0x4000, 0x4000, 0x4000, 0x4000, 0x1_0000) + 7 * (0x2_0000,)
SECTOR_ADDRS = tuple(FLASH_ADDR + sum(SECTOR_SIZES[:n]) for n in range(len(SECTOR_SIZES)))

LOG_SECTORS = (2, 3)
STORE_SECTORS = (4, 11)

SLOT_A_ADDR = 0x0802_0000
SLOT_B_ADDR = 0x0808_0000
SLOT_SIZE = 0x6_0000
SLOT_OFFSET = SLOT_B_ADDR - SLOT_A_ADDR

COMMIT = 0x0B00_710C
"""Written last; makes what stands before it count."""

VECTOR_TABLE_SIZE = 0x184
PREFIX_OFFSET = VECTOR_TABLE_SIZE
PREFIX_SIZE = 24
BODY_MIN_SIZE = PREFIX_OFFSET + PREFIX_SIZE
EXTENSION_SIZE = 512
SUFFIX_SIZE = 44
TAIL_SIZE = EXTENSION_SIZE + SUFFIX_SIZE
IMAGE_MIN_SIZE = BODY_MIN_SIZE + 4 + TAIL_SIZE
MANIFEST_SIZE_MAX = 96
IDENTITY_PREFIX_SIZE = 16
"""Length of an image identity where 16 bytes are asked for."""

ID_MAX = 65_534
"""Highest product id and product version: 65,535 means `none` in Particle's format."""

RELOC_BLOCK_SIZE = 4096
RELOC_TABLE_SIZE_MAX = 65_535


class Slot(IntEnum):
    """Where an installed image lives; the numbers are those of the boot log."""

    A = 0
    B = 1

    @property
    def addr(self) -> int:
        """First byte of the slot in flash."""
        return SLOT_A_ADDR if self is Slot.A else SLOT_B_ADDR

    @property
    def offset(self) -> int:
        """What relocation adds to each relocated word in this slot."""
        return self.addr - SLOT_A_ADDR

    @property
    def other(self) -> Slot:
        return Slot.B if self is Slot.A else Slot.A


class Lifecycle(IntEnum):
    """What a device accepts; the numbers are those of the identity page."""

    DEVELOPMENT = 1
    PRODUCTION = 2


class PlatformName(StrEnum):
    """The platforms that Muster builds for."""

    PHOTON = "photon"
    P1 = "p1"
    ELECTRON = "electron"


PLATFORM_IDS: dict[PlatformName, int] = {PlatformName.PHOTON: 6, PlatformName.P1: 8, PlatformName.ELECTRON: 10}
"""Particle's platform ids (particle-iot/device-os, hal/shared/platforms.h)."""


def platform_name(platform_id: int) -> str:
    """The platform's name, or `platform N` for one that Muster does not build for."""
    for name, number in PLATFORM_IDS.items():
        if number == platform_id:
            return name.value
    return f"platform {platform_id}"
