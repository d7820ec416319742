/* SPDX-License-Identifier: Apache-2.0 */
#include "sector_pair.h"

#include <string.h>

#include "commit.h"
#include "ota/bytes.h"
#include "ota/crc32.h"
#include "ota/sector.h"

enum {
    AT_GENERATION = 4,
    AT_CRC = 56,
    AT_COMMIT = 60,
};

enum ota_status sector_pair_find(const struct sector_pair *pair, const struct ota_flash *flash, uint32_t *sector,
                                 uint32_t *generation) {
    *sector = 0;
    *generation = 0;
    for (uint32_t i = 0; i < 2; i++) {
        uint8_t header[SECTOR_HEADER_LEN];
        TRY(flash->read(flash->ctx, ota_sector_addr(pair->sectors[i]), header, sizeof header));
        if (ota_load32_le(header) != pair->magic || ota_load32_le(header + AT_COMMIT) != OTA_COMMIT) continue;
        if (ota_load32_le(header + AT_CRC) != ota_crc32(0, header, AT_CRC)) continue;
        uint32_t found = ota_load32_le(header + AT_GENERATION);
        if (*sector != 0 && found <= *generation) continue;
        *sector = pair->sectors[i];
        *generation = found;
    }
    return OTA_OK;
}

uint32_t sector_pair_other(const struct sector_pair *pair, uint32_t sector) {
    return sector == pair->sectors[0] ? pair->sectors[1] : pair->sectors[0];
}

enum ota_status sector_pair_commit(const struct sector_pair *pair, const struct ota_flash *flash, uint32_t sector,
                                   uint32_t generation) {
    uint8_t header[SECTOR_HEADER_LEN] = {0};
    uint32_t addr = ota_sector_addr(sector);
    ota_store32_le(header, pair->magic);
    ota_store32_le(header + AT_GENERATION, generation);
    ota_store32_le(header + AT_CRC, ota_crc32(0, header, AT_CRC));
    ota_store32_le(header + AT_COMMIT, OTA_COMMIT);
    /* cut: a header without commit word -> the other sector still rules */
    TRY(flash->program(flash->ctx, addr, header, AT_COMMIT));
    /* cut: a torn commit word is none -> the other sector still rules */
    return flash->program(flash->ctx, addr + AT_COMMIT, header + AT_COMMIT, SECTOR_HEADER_LEN - AT_COMMIT);
}
