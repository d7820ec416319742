/* SPDX-License-Identifier: Apache-2.0 */
#include "ota/sector.h"

#include "ota/bytes.h"

uint32_t ota_sector_size(uint32_t sector) { return sector < 4 ? 0x4000 : sector == 4 ? 0x10000 : 0x20000; }

uint32_t ota_sector_addr(uint32_t sector) {
    uint32_t addr = OTA_FLASH_ADDR;
    for (uint32_t before = 0; before < sector; before++) addr += ota_sector_size(before);
    return addr;
}

enum ota_status ota_flash_is_blank(const struct ota_flash *flash, uint32_t addr, uint32_t len, bool *is_blank) {
    uint8_t chunk[128];
    *is_blank = false;
    while (len > 0) {
        uint32_t take = ota_min_u32(len, sizeof chunk);
        TRY(flash->read(flash->ctx, addr, chunk, take));
        if (!ota_bytes_are(chunk, take, 0xFF)) return OTA_OK;
        addr += take;
        len -= take;
    }
    *is_blank = true;
    return OTA_OK;
}

enum ota_status ota_sector_make_blank(const struct ota_flash *flash, uint32_t sector) {
    bool is_blank;
    TRY(ota_flash_is_blank(flash, ota_sector_addr(sector), ota_sector_size(sector), &is_blank));
    return is_blank ? OTA_OK : flash->erase(flash->ctx, sector);
}
