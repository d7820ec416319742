/* SPDX-License-Identifier: Apache-2.0 */
#include "ota/delta.h"

#include "delta_output.h"
#include "ota/bytes.h"
#include "ota/image.h"

/* The first byte, and units: docs/spec/patch.md section 2. */
enum {
    KIND_MASK = 0x03,
    HAS_BASE = 0x04,
    PROFILE_SHIFT = 3,
    PROFILE_MASK = 0x03,
    FORMAT_SHIFT = 5,
    FORMAT = 2,
    LOAD_BASE_UNIT = 256,
    BLOCKS_MAX = 383, /* of the target: offsets of their lists wait in struct ota_delta's `out` */
};

struct reader {
    const uint8_t *bytes;
    uint32_t len;
    uint32_t pos;
    enum ota_status status; /* the first failure */
};

static uint8_t read_byte(struct reader *reader) {
    if (reader->pos == reader->len) {
        if (reader->status == OTA_OK) reader->status = OTA_ERR_PATCH_TRUNCATED;
        return 0;
    }
    return reader->bytes[reader->pos++];
}

static void read_check(struct reader *reader, uint8_t *out, uint32_t len) {
    for (uint32_t i = 0; i < len; i++) out[i] = read_byte(reader);
}

/* LEB128 in its shortest form, below 2^28. */
static uint32_t read_number(struct reader *reader) {
    uint32_t value = 0;
    for (uint32_t shift = 0; shift < 28; shift += 7) {
        uint8_t byte = read_byte(reader);
        value |= (uint32_t)(byte & 0x7F) << shift;
        if ((byte & 0x80) != 0) continue;
        if (byte == 0 && shift != 0) break;
        return value;
    }
    if (reader->status == OTA_OK) reader->status = OTA_ERR_PATCH_HEADER;
    return 0;
}

/* `from` changed by a signed number in zigzag form: 0, -1, 1, -2... units. Wraps; the caller checks the result. */
static uint32_t read_change(struct reader *reader, uint32_t from, uint32_t unit) {
    uint32_t zigzag = read_number(reader);
    uint32_t change = (zigzag >> 1) ^ (0 - (zigzag & 1));
    return from + change * unit;
}

static uint32_t read_load_base(struct reader *reader) {
    uint32_t units = read_number(reader);
    if (units > UINT32_MAX / LOAD_BASE_UNIT && reader->status == OTA_OK) reader->status = OTA_ERR_PATCH_HEADER;
    return units * LOAD_BASE_UNIT;
}

static bool image_layout_holds(uint32_t len, uint32_t reloc_start) {
    if (len % 4 != 0 || reloc_start % 4 != 0 || len < OTA_IMAGE_MIN_LEN) return false;
    return reloc_start >= OTA_IMAGE_BODY_AT && reloc_start < len - OTA_IMAGE_TAIL_LEN;
}

static void read_layout(struct reader *reader, struct ota_delta_header *header, bool has_base) {
    if (ota_delta_is_image(header)) {
        header->load_base = OTA_SLOT_A_ADDR;
        header->target.len = read_change(reader, header->base.len, 4);
        header->target.reloc_start = read_change(reader, header->base.reloc_start, 4);
        return;
    }
    if (header->kind == OTA_DELTA_RAW || !has_base) header->load_base = read_load_base(reader);
    header->target.len = read_change(reader, header->base.len, 1);
    header->target.reloc_start = header->target.len;
}

/* A module's base must hold its prefix's first word: where it is linked to. */
static bool base_holds(const struct ota_delta_header *header) {
    uint32_t len = header->base.len;
    if (ota_delta_is_image(header)) return image_layout_holds(len, header->base.reloc_start);
    if (header->kind == OTA_DELTA_MODULE_AT_0) return len >= 4;
    return header->kind == OTA_DELTA_RAW || len >= OTA_IMAGE_PREFIX_AT + 4;
}

static bool lengths_hold(const struct ota_delta_header *header) {
    if (header->target.len > OTA_DELTA_LENGTH_MAX || header->base.len > OTA_DELTA_LENGTH_MAX) return false;
    uint32_t len = header->target.len;
    if (ota_delta_is_image(header)) {
        if (header->target.reloc_start > BLOCKS_MAX * OTA_RELOC_BLOCK_LEN) return false;
        return image_layout_holds(len, header->target.reloc_start);
    }
    if (header->kind == OTA_DELTA_MODULE_AT_0) return len >= OTA_DELTA_MODULE_MIN_LEN;
    if (header->kind == OTA_DELTA_MODULE_AT_184) return len >= OTA_IMAGE_PREFIX_AT + OTA_DELTA_MODULE_MIN_LEN;
    return true;
}

enum ota_status ota_delta_header_parse(const uint8_t *untrusted, uint32_t len, const struct ota_delta_base *base,
                                       struct ota_delta_header *out, uint32_t *header_len) {
    struct reader reader = {untrusted, len, 0, OTA_OK};
    struct ota_delta_header header = {0};

    uint8_t what = read_byte(&reader);
    if (reader.status == OTA_OK && what >> FORMAT_SHIFT != FORMAT) return OTA_ERR_PATCH_HEADER;
    header.kind = what & KIND_MASK;
    if (OTA_DELTA_ONLY_IMAGES && header.kind != OTA_DELTA_IMAGE) return OTA_ERR_PATCH_HEADER;
    header.profile = what >> PROFILE_SHIFT & PROFILE_MASK;
    bool has_base = (what & HAS_BASE) != 0;
    if (has_base) {
        read_check(&reader, header.base_check, sizeof header.base_check);
        header.base = base->layout;
    }
    read_check(&reader, header.target_check, sizeof header.target_check);
    read_layout(&reader, &header, has_base);
    if (reader.status != OTA_OK) return reader.status;

    if (has_base) {
        if (base->layout.len == 0) return OTA_ERR_PATCH_BASE;
        if (!ota_bytes_equal(header.base_check, base->check, sizeof header.base_check)) return OTA_ERR_PATCH_BASE;
        if (!base_holds(&header)) return OTA_ERR_PATCH_BASE;
    }
    if (!lengths_hold(&header)) return OTA_ERR_PATCH_HEADER;
    *out = header;
    *header_len = reader.pos;
    return OTA_OK;
}
