/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OTA_FLASH_H
#define OTA_FLASH_H

#include <stdint.h>

#include "ota/status.h"

/* The flash as the core sees it. Addresses are the chip's own (0x08000000 up). `ctx` is handed back to every function.
 * Each function refuses what leaves the flash (OTA_ERR_FLASH_RANGE). The CPU may stall while program and erase run. */
struct ota_flash {
    void *ctx;

    /* Copies `len` bytes at `addr` to `out`. */
    enum ota_status (*read)(void *ctx, uint32_t addr, void *out, uint32_t len);

    /* Programs `len` bytes; `addr` and `len` are multiples of 4. Bits only go from 1 to 0. Words are written in rising
     * order, each read back: when power stops, the words before are written and at most one is torn. */
    enum ota_status (*program)(void *ctx, uint32_t addr, const void *bytes, uint32_t len);

    /* Sets every bit of a sector. When power stops, its bits are anything. */
    enum ota_status (*erase)(void *ctx, uint32_t sector);
};

/* Flash map of every platform: docs/spec/boot.md section 1. */
enum {
    OTA_FLASH_ADDR = 0x08000000,
    OTA_FLASH_SIZE = 0x00100000,
    OTA_SECTOR_COUNT = 12,
    OTA_IDENTITY_ADDR = 0x08007C00,
    OTA_LOG_SECTOR_0 = 2,
    OTA_LOG_SECTOR_1 = 3,
    OTA_STORE_SECTOR_0 = 4,
    OTA_STORE_SECTOR_1 = 11,
    OTA_SLOT_A_ADDR = 0x08020000,
    OTA_SLOT_B_ADDR = 0x08080000,
    OTA_SLOT_SIZE = 0x00060000,
    OTA_SLOT_OFFSET = OTA_SLOT_B_ADDR - OTA_SLOT_A_ADDR, /* what relocation adds in slot B */
    OTA_SLOT_FIRST_SECTOR_A = 5,
    OTA_SLOT_FIRST_SECTOR_B = 8,
    OTA_SLOT_SECTORS = 3,
};

#endif
