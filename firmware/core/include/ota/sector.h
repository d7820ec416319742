/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OTA_SECTOR_H
#define OTA_SECTOR_H

#include <stdbool.h>
#include <stdint.h>

#include "ota/flash.h"
#include "ota/status.h"

/* The twelve sectors of an STM32F205xG (RM0033, flash module organization) and the two slots in them. */

enum {
    OTA_SLOT_A = 0,
    OTA_SLOT_B = 1,
    OTA_SLOT_COUNT = 2,
};

uint32_t ota_sector_addr(uint32_t sector);
uint32_t ota_sector_size(uint32_t sector);

/* Address of slot OTA_SLOT_A or OTA_SLOT_B. */
static inline uint32_t ota_slot_addr(uint8_t slot) {
    return slot == OTA_SLOT_A ? (uint32_t)OTA_SLOT_A_ADDR : (uint32_t)OTA_SLOT_B_ADDR;
}

/* Whether [addr, addr + len) reads as erased. */
OTA_MUST_CHECK enum ota_status ota_flash_is_blank(const struct ota_flash *flash, uint32_t addr, uint32_t len,
                                                  bool *is_blank);

/* Erases the sector unless it is blank. cut: its bits are anything; who calls must not need them. */
OTA_MUST_CHECK enum ota_status ota_sector_make_blank(const struct ota_flash *flash, uint32_t sector);

#endif
