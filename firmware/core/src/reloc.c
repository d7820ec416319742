/* SPDX-License-Identifier: Apache-2.0 */
#include "ota/reloc.h"

#include "ota/bytes.h"

/* An LEB128 gap has at most two bytes: 1 to 1,024. */
enum {
    LEB128_MORE = 0x80,
    GAP_MAX = OTA_RELOC_BLOCK_LEN / 4,
};

static const uint32_t no_block = UINT32_MAX;

void ota_reloc_init(struct ota_reloc *reloc, enum ota_status (*read)(void *ctx, uint32_t at, void *out, uint32_t len),
                    void *ctx, uint32_t at, uint32_t len, uint32_t reloc_start) {
    reloc->ctx = ctx;
    reloc->read = read;
    reloc->at = at;
    reloc->len = len;
    reloc->reloc_start = reloc_start;
    reloc->block = no_block;
    reloc->window_off = 0;
    reloc->window_len = 0;
}

static uint32_t block_count(const struct ota_reloc *reloc) {
    return (reloc->reloc_start + OTA_RELOC_BLOCK_LEN - 1) / OTA_RELOC_BLOCK_LEN;
}

static enum ota_status read_byte(struct ota_reloc *reloc, uint32_t pos, uint8_t *byte) {
    if (pos >= reloc->len) return OTA_ERR_RELOC;
    /* Below the window the difference wraps to a large number. */
    if (pos - reloc->window_off >= reloc->window_len) {
        uint32_t len = ota_min_u32(OTA_RELOC_WINDOW_LEN, reloc->len - pos);
        reloc->window_len = 0;
        TRY(reloc->read(reloc->ctx, reloc->at + pos, reloc->window, len));
        reloc->window_off = pos;
        reloc->window_len = len;
    }
    *byte = reloc->window[pos - reloc->window_off];
    return OTA_OK;
}

static enum ota_status read_u16(struct ota_reloc *reloc, uint32_t pos, uint32_t *value) {
    uint8_t low, high;
    TRY(read_byte(reloc, pos, &low));
    TRY(read_byte(reloc, pos + 1, &high));
    *value = low | (uint32_t)high << 8;
    return OTA_OK;
}

static uint32_t block_end(const struct ota_reloc *reloc) { return (reloc->block + 1) * OTA_RELOC_BLOCK_LEN; }

/* Moves on to the list's next word, or to the block's end when there is none. */
static enum ota_status next_word(struct ota_reloc *reloc, uint32_t from) {
    uint8_t byte = 0;
    uint32_t last = from - 4; /* the gap counts from here; for a block's first word, the word before the block */
    reloc->from = from;
    reloc->word = block_end(reloc);
    if (reloc->list_pos == reloc->list_end) return OTA_OK;
    TRY(read_byte(reloc, reloc->list_pos, &byte));
    if (byte == 0) {
        /* Only the last block's list may be followed by padding. */
        return reloc->block + 1 == block_count(reloc) ? OTA_OK : OTA_ERR_RELOC;
    }
    uint32_t gap = byte;
    reloc->list_pos++;
    if (byte & LEB128_MORE) {
        if (reloc->list_pos == reloc->list_end) return OTA_ERR_RELOC;
        TRY(read_byte(reloc, reloc->list_pos, &byte));
        reloc->list_pos++;
        if (byte == 0) return OTA_ERR_RELOC; /* fits one byte */
        gap = (gap & 0x7F) | (uint32_t)byte << 7;
    }
    if (gap > GAP_MAX) return OTA_ERR_RELOC;
    uint32_t word = last + 4 * gap;
    if (word >= ota_min_u32(block_end(reloc), reloc->reloc_start)) return OTA_ERR_RELOC;
    reloc->word = word;
    return OTA_OK;
}

static enum ota_status open_list(struct ota_reloc *reloc, uint32_t block) {
    uint32_t count = block_count(reloc);
    reloc->block = no_block;
    TRY(read_u16(reloc, 2 + 2 * block, &reloc->list_pos));
    if (block + 1 < count) {
        TRY(read_u16(reloc, 4 + 2 * block, &reloc->list_end));
    } else {
        reloc->list_end = reloc->len;
    }
    if (reloc->list_pos < 2 + 2 * count || reloc->list_end < reloc->list_pos || reloc->list_end > reloc->len) {
        return OTA_ERR_RELOC;
    }
    reloc->block = block;
    return next_word(reloc, block * OTA_RELOC_BLOCK_LEN);
}

enum ota_status ota_reloc_check(struct ota_reloc *reloc) {
    uint32_t value;
    uint32_t count = block_count(reloc);

    if (reloc->len > OTA_RELOC_MAX_LEN || reloc->len < 2 + 2 * count || ((reloc->len | reloc->reloc_start) & 3) != 0) {
        return OTA_ERR_RELOC;
    }
    TRY(read_u16(reloc, 0, &value));
    if (value != count) return OTA_ERR_RELOC;
    TRY(read_u16(reloc, 2, &value));
    if (value != 2 + 2 * count) return OTA_ERR_RELOC;

    /* A list ends where the next begins and only the last one may hold a zero, so there are no holes. */
    for (uint32_t block = 0; block < count; block++) {
        TRY(open_list(reloc, block));
        while (reloc->word != block_end(reloc)) TRY(next_word(reloc, reloc->word + 4));
    }
    if (reloc->len - reloc->list_pos > 3) return OTA_ERR_RELOC;
    for (uint32_t pos = reloc->list_pos; pos < reloc->len; pos++) {
        uint8_t padding;
        TRY(read_byte(reloc, pos, &padding));
        if (padding != 0) return OTA_ERR_RELOC;
    }
    return OTA_OK;
}

/* Opens or walks the block's list until no relocated word lies in [off, reloc->word). */
static enum ota_status seek(struct ota_reloc *reloc, uint32_t off) {
    uint32_t block = off / OTA_RELOC_BLOCK_LEN;
    if (block != reloc->block || off < reloc->from) TRY(open_list(reloc, block));
    while (reloc->word < off) TRY(next_word(reloc, reloc->word + 4));
    return OTA_OK;
}

enum ota_status ota_reloc_find(struct ota_reloc *reloc, uint32_t off, uint32_t end, uint32_t *word_off) {
    uint32_t limit = ota_min_u32(end, reloc->reloc_start);
    *word_off = end;
    while (off < limit) {
        enum ota_status status = seek(reloc, off);
        if (status != OTA_OK) {
            reloc->block = no_block;
            return status;
        }
        if (reloc->word != block_end(reloc)) {
            if (reloc->word < limit) *word_off = reloc->word;
            return OTA_OK;
        }
        off = block_end(reloc);
    }
    return OTA_OK;
}

enum ota_status ota_reloc_span(struct ota_reloc *reloc, uint32_t off, uint8_t *bytes, uint32_t len, uint32_t offset) {
    uint32_t end = off + len;
    uint32_t word_off;
    TRY(ota_reloc_find(reloc, off, end, &word_off));
    while (word_off != end) {
        uint8_t *word = bytes + (word_off - off);
        ota_store32_le(word, ota_load32_le(word) + offset);
        TRY(ota_reloc_find(reloc, word_off + 4, end, &word_off));
    }
    return OTA_OK;
}
