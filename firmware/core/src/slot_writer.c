/* SPDX-License-Identifier: Apache-2.0 */
#include "ota/slot_writer.h"

#include <string.h>

#include "ota/bytes.h"
#include "ota/image.h"
#include "ota/sector.h"
#include "slot_read.h"

enum { CHUNK_LEN = 256 };

enum ota_status ota_slot_erase(const struct ota_flash *flash, uint32_t slot_addr) {
    uint32_t first = slot_addr == OTA_SLOT_A_ADDR ? OTA_SLOT_FIRST_SECTOR_A : OTA_SLOT_FIRST_SECTOR_B;
    for (uint32_t sector = first; sector < first + OTA_SLOT_SECTORS; sector++) {
        /* cut: the slot is half erased; it was not the confirmed one, and whoever fills it begins again */
        TRY(ota_sector_make_blank(flash, sector));
    }
    return OTA_OK;
}

enum ota_status ota_slot_writer_init(struct ota_slot_writer *writer, const struct ota_flash *flash, uint32_t slot_addr,
                                     uint32_t reloc_start, uint32_t ext_start) {
    if (ext_start > OTA_SLOT_SIZE - OTA_IMAGE_TAIL_LEN || ext_start % 4 != 0) return OTA_ERR_IMAGE_LENGTH;
    if (reloc_start >= ext_start || reloc_start % 4 != 0 || reloc_start < OTA_IMAGE_BODY_AT)
        return OTA_ERR_IMAGE_LENGTH;
    writer->flash = flash;
    writer->slot_addr = slot_addr;
    writer->len = ext_start + OTA_IMAGE_TAIL_LEN;
    writer->is_table_checked = false;
    ota_reloc_init(&writer->reloc, flash->read, flash->ctx, slot_addr + reloc_start, ext_start - reloc_start,
                   reloc_start);
    return OTA_OK;
}

/* Programs those of the words that are not there yet. */
static enum ota_status program_missing(const struct ota_flash *flash, uint32_t addr, const uint8_t *bytes,
                                       uint32_t len) {
    uint8_t present[CHUNK_LEN];
    uint32_t run = 0; /* bytes before `pos` that are to be programmed */
    TRY(flash->read(flash->ctx, addr, present, len));
    for (uint32_t pos = 0; pos <= len; pos += 4) {
        bool is_missing = pos < len && memcmp(present + pos, bytes + pos, 4) != 0;
        if (is_missing) {
            uint32_t want = ota_load32_le(bytes + pos);
            if ((ota_load32_le(present + pos) & want) != want) return OTA_ERR_FLASH_PROGRAM;
            run += 4;
        } else if (run > 0) {
            /* cut: the image is not whole, its hash does not hold; writing the same again completes it */
            TRY(flash->program(flash->ctx, addr + pos - run, bytes + pos - run, run));
            run = 0;
        }
    }
    return OTA_OK;
}

enum ota_status ota_slot_writer_write(struct ota_slot_writer *writer, uint32_t off, const void *bytes, uint32_t len) {
    const uint8_t *p = bytes;
    uint8_t chunk[CHUNK_LEN];
    uint32_t reloc_start = writer->reloc.reloc_start;

    if (off > writer->len || len > writer->len - off || ((off | len) & 3) != 0) return OTA_ERR_FLASH_RANGE;
    if (off + len > reloc_start) {
        /* The table changes: forget what was read of it. */
        ota_reloc_init(&writer->reloc, writer->reloc.read, writer->reloc.ctx, writer->reloc.at, writer->reloc.len,
                       reloc_start);
        writer->is_table_checked = false;
    }
    if (off < reloc_start && !writer->is_table_checked) {
        TRY(ota_reloc_check(&writer->reloc));
        writer->is_table_checked = true;
    }
    while (len > 0) {
        uint32_t take = ota_min_u32(len, sizeof chunk);
        memcpy(chunk, p, take);
        if (writer->slot_addr != OTA_SLOT_A_ADDR && off < reloc_start) {
            TRY(ota_reloc_span(&writer->reloc, off, chunk, take, OTA_SLOT_OFFSET));
        }
        TRY(program_missing(writer->flash, writer->slot_addr + off, chunk, take));
        off += take;
        p += take;
        len -= take;
    }
    return OTA_OK;
}

enum ota_status ota_slot_writer_read(struct ota_slot_writer *writer, uint32_t off, void *out, uint32_t len) {
    if (off > writer->len || len > writer->len - off) return OTA_ERR_FLASH_RANGE;
    return slot_read(writer->flash, writer->slot_addr, &writer->reloc, off, out, len);
}
