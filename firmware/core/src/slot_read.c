/* SPDX-License-Identifier: Apache-2.0 */
#include "slot_read.h"

#include <string.h>

#include "ota/bytes.h"

/* Takes the slot's offset away again, modulo 2^32. */
static const uint32_t undo = 0u - OTA_SLOT_OFFSET;

/* A piece of one word: [off, off + len) does not cross a multiple of 4. */
static enum ota_status read_part(const struct ota_flash *flash, uint32_t slot_addr, struct ota_reloc *reloc,
                                 uint32_t off, uint8_t *out, uint32_t len) {
    uint8_t word[4];
    uint32_t word_off = off & ~3u;
    TRY(flash->read(flash->ctx, slot_addr + word_off, word, sizeof word));
    TRY(ota_reloc_span(reloc, word_off, word, sizeof word, undo));
    memcpy(out, word + (off - word_off), len);
    return OTA_OK;
}

enum ota_status slot_read(const struct ota_flash *flash, uint32_t slot_addr, struct ota_reloc *reloc, uint32_t off,
                          void *out, uint32_t len) {
    uint8_t *p = out;
    if (slot_addr == OTA_SLOT_A_ADDR || off >= reloc->reloc_start)
        return flash->read(flash->ctx, slot_addr + off, p, len);

    uint32_t head_len = ota_min_u32((4 - (off & 3)) & 3, len);
    if (head_len > 0) {
        TRY(read_part(flash, slot_addr, reloc, off, p, head_len));
        off += head_len;
        p += head_len;
        len -= head_len;
    }
    uint32_t whole_len = len & ~3u;
    TRY(flash->read(flash->ctx, slot_addr + off, p, whole_len));
    TRY(ota_reloc_span(reloc, off, p, whole_len, undo));
    if (len == whole_len) return OTA_OK;
    return read_part(flash, slot_addr, reloc, off + whole_len, p + whole_len, len - whole_len);
}
