/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BOOTLOG_SECTOR_H
#define BOOTLOG_SECTOR_H

#include <stdint.h>

#include "ota/bootlog.h"
#include "ota/sector.h"
#include "sector_pair.h"

/* Layout of a boot log sector, docs/spec/boot.md section 4, for the parts of the boot log. */
enum {
    PLACE_COUNT = 2,
    PLACE_LEN = 2048,
    PLACES_AT = SECTOR_HEADER_LEN,
    RECORDS_AT = PLACES_AT + PLACE_COUNT * PLACE_LEN,
    RECORD_LEN = 64,
    RECORD_COUNT = (0x4000 - RECORDS_AT) / RECORD_LEN,
};

static const struct sector_pair bootlog_sectors = {0x474F4C42, {OTA_LOG_SECTOR_0, OTA_LOG_SECTOR_1}};

static inline uint32_t bootlog_place_addr(uint32_t sector, uint32_t place) {
    return ota_sector_addr(sector) + PLACES_AT + place * PLACE_LEN;
}

static inline uint32_t bootlog_record_addr(uint32_t sector, uint32_t place) {
    return ota_sector_addr(sector) + RECORDS_AT + place * RECORD_LEN;
}

/* Which key sets a compaction takes along. */
enum bootlog_keysets {
    KEYSETS_ALL,
    KEYSETS_CURRENT, /* leaves place 1 blank */
};

/* Moves what counts to the other sector and makes that one rule; the first sector of an empty log too.
 * cut: until its header is committed, the old sector rules with everything in it */
OTA_MUST_CHECK enum ota_status bootlog_compact(struct ota_bootlog *log, enum bootlog_keysets keysets);

/* Copies the key sets to the blank sector `target`: the older to place 0, the newer behind it. */
OTA_MUST_CHECK enum ota_status bootlog_copy_keysets(const struct ota_bootlog *log, uint32_t target,
                                                    enum bootlog_keysets keysets);

#endif
