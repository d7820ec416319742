/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SECTOR_PAIR_H
#define SECTOR_PAIR_H

#include <stdint.h>

#include "ota/flash.h"
#include "ota/status.h"

/* Two sectors of which one rules: the one with a valid header and the higher generation. The header's form is in
 * docs/spec/boot.md section 4; the record store uses the same with another magic. */
struct sector_pair {
    uint32_t magic;
    uint32_t sectors[2];
};

enum { SECTOR_HEADER_LEN = 64 };

/* `sector` is 0 when neither rules; `generation` is then 0. */
OTA_MUST_CHECK enum ota_status sector_pair_find(const struct sector_pair *pair, const struct ota_flash *flash,
                                                uint32_t *sector, uint32_t *generation);

/* The sector that does not rule while `sector` does. */
uint32_t sector_pair_other(const struct sector_pair *pair, uint32_t sector);

/* Makes the sector rule. Everything it is to hold is already in it.
 * cut: its header does not hold, so the other sector rules on */
OTA_MUST_CHECK enum ota_status sector_pair_commit(const struct sector_pair *pair, const struct ota_flash *flash,
                                                  uint32_t sector, uint32_t generation);

#endif
