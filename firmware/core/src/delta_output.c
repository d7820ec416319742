/* SPDX-License-Identifier: Apache-2.0 */
#include "delta_output.h"

#include <string.h>

#include "ota/bytes.h"
#include "ota/crc32.h"
#include "ota/image.h"

enum {
    ENTRY_HEAD_LEN = 4,
    ENTRY_MANIFEST = 0x8100,
};

/* In the order in which the target's bytes are written. */
enum derived_field {
    DERIVED_MODULE_END = 0,
    DERIVED_BODY_HASH = 1,
    DERIVED_MODULE_SHA = 2,
    DERIVED_CRC = 3,
    DERIVED_NONE = 4,
};

void ota_delta_output_init(struct ota_delta *delta) {
    delta->part = OTA_DELTA_PART_TABLE;
    delta->written = 0;
    delta->out_len = 0;
    delta->out_hashed = 0;
    delta->derived_field = delta->header.kind == OTA_DELTA_IMAGE ? DERIVED_MODULE_END : DERIVED_NONE;
    delta->crc = 0;
    ota_sha256_init(&delta->sha256);
}

uint32_t ota_delta_position(const struct ota_delta *delta) { return delta->written + delta->out_len; }

static uint32_t table_len(const struct ota_delta_header *header) {
    return header->target_ext_start - header->target_reloc_start;
}

uint32_t ota_delta_part_end(const struct ota_delta_header *header, uint32_t part) {
    if (part == OTA_DELTA_PART_TABLE) return table_len(header);
    if (part == OTA_DELTA_PART_CODE) return header->target_ext_start;
    return header->target_len;
}

uint32_t ota_delta_offset(const struct ota_delta_header *header, uint32_t position) {
    if (position < table_len(header)) return header->target_reloc_start + position;
    if (position < header->target_ext_start) return position - table_len(header);
    return position;
}

uint32_t ota_delta_part_alignment(const struct ota_delta_header *header, uint32_t part) {
    if (part == OTA_DELTA_PART_TABLE) return header->base_reloc_start - header->target_reloc_start;
    if (part == OTA_DELTA_PART_CODE) return 0;
    return header->base_ext_start - header->target_ext_start;
}

/* The hashes go over the image in the order of its offsets: table bytes are read back when their turn comes. */
static void hash_waiting(struct ota_delta *delta) {
    if (delta->part != OTA_DELTA_PART_TABLE) {
        const uint8_t *bytes = delta->out + delta->out_hashed;
        uint32_t len = delta->out_len - delta->out_hashed;
        ota_sha256_update(&delta->sha256, bytes, len);
        delta->crc = ota_crc32(delta->crc, bytes, len);
    }
    delta->out_hashed = delta->out_len;
}

static enum ota_status flush(struct ota_delta *delta, const struct ota_delta_port *port) {
    if (delta->out_len == 0) return OTA_OK;
    hash_waiting(delta);
    /* cut: the slot holds more than the last checkpoint knows; after a resume the same bytes are written again */
    TRY(port->write_target(port->ctx, ota_delta_offset(&delta->header, delta->written), delta->out, delta->out_len));
    delta->written += delta->out_len;
    delta->out_len = 0;
    delta->out_hashed = 0;
    return OTA_OK;
}

static uint32_t derived_start(const struct ota_delta_header *header, uint32_t field) {
    if (field == DERIVED_MODULE_END) return table_len(header) + OTA_DELTA_MODULE_END_OFF;
    if (field == DERIVED_BODY_HASH) return header->target_ext_start + header->body_hash_off;
    if (field == DERIVED_MODULE_SHA) return header->target_len - OTA_DELTA_MODULE_SHA_FROM_END;
    return header->target_len - OTA_DELTA_CRC_FROM_END;
}

static uint32_t derived_len(uint32_t field) {
    if (field == DERIVED_MODULE_END) return OTA_DELTA_MODULE_END_LEN;
    if (field == DERIVED_CRC) return OTA_DELTA_CRC_LEN;
    return OTA_SHA256_LEN;
}

static void sha256_so_far(const struct ota_delta *delta, uint8_t digest[OTA_SHA256_LEN]) {
    struct ota_sha256 copy = delta->sha256;
    ota_sha256_final(&copy, digest);
}

static void derive(struct ota_delta *delta) {
    const struct ota_delta_header *header = &delta->header;
    hash_waiting(delta);
    if (delta->derived_field == DERIVED_MODULE_END) {
        ota_store32_le(delta->derived, header->load_base + header->target_len - OTA_DELTA_CRC_LEN);
    } else if (delta->derived_field == DERIVED_MODULE_SHA) {
        sha256_so_far(delta, delta->derived);
    } else if (delta->derived_field == DERIVED_CRC) {
        ota_store32_be(delta->derived, delta->crc);
    }
    /* the body hash has been there since the tail began */
}

bool ota_delta_derived_byte(struct ota_delta *delta, uint8_t *byte) {
    if (delta->derived_field == DERIVED_NONE) return false;
    /* wraps below the field, so one comparison does */
    uint32_t index = ota_delta_position(delta) - derived_start(&delta->header, delta->derived_field);
    uint32_t len = derived_len(delta->derived_field);
    if (index >= len) return false;
    if (index == 0) derive(delta);
    *byte = delta->derived[index];
    if (index == len - 1) delta->derived_field++;
    return true;
}

enum ota_status ota_delta_put(struct ota_delta *delta, const struct ota_delta_port *port, uint8_t byte) {
    if (delta->range.overrun != 0) return OTA_ERR_PATCH_TRUNCATED;
    delta->out[delta->out_len] = byte;
    delta->out_len++;
    if (delta->out_len == OTA_DELTA_OUT_SIZE) TRY(flush(delta, port));

    uint32_t position = ota_delta_position(delta);
    if (position % OTA_DELTA_CHECKPOINT_LEN != 0 || position == delta->header.target_len) return OTA_OK;
    TRY(flush(delta, port));
    return port->checkpoint(port->ctx, delta, delta->patch_off);
}

static enum ota_status hash_table(struct ota_delta *delta, const struct ota_delta_port *port) {
    uint8_t bytes[64];
    for (uint32_t off = delta->header.target_reloc_start; off < delta->header.target_ext_start;) {
        uint32_t len = ota_min_u32(sizeof bytes, delta->header.target_ext_start - off);
        TRY(port->read_target(port->ctx, off, bytes, len));
        ota_sha256_update(&delta->sha256, bytes, len);
        delta->crc = ota_crc32(delta->crc, bytes, len);
        off += len;
    }
    return OTA_OK;
}

enum ota_status ota_delta_part_next(struct ota_delta *delta, const struct ota_delta_port *port) {
    TRY(flush(delta, port));
    if (delta->part == OTA_DELTA_PART_CODE) {
        TRY(hash_table(delta, port));
        sha256_so_far(delta, delta->derived);
    }
    delta->part++;
    return OTA_OK;
}

enum ota_status ota_delta_read_back(const struct ota_delta *delta, const struct ota_delta_port *port, uint32_t position,
                                    uint8_t *out, uint32_t *len) {
    if (position >= delta->written) {
        uint32_t index = position - delta->written;
        *len = ota_min_u32(*len, delta->out_len - index);
        memcpy(out, delta->out + index, *len);
        return OTA_OK;
    }
    uint32_t part = OTA_DELTA_PART_TABLE;
    while (position >= ota_delta_part_end(&delta->header, part)) part++;
    uint32_t end = ota_min_u32(delta->written, ota_delta_part_end(&delta->header, part));
    *len = ota_min_u32(*len, end - position);
    return port->read_target(port->ctx, ota_delta_offset(&delta->header, position), out, *len);
}

static enum ota_status image_identity(const struct ota_delta *delta, const struct ota_delta_port *port,
                                      uint8_t digest[OTA_SHA256_LEN]) {
    uint8_t entry[ENTRY_HEAD_LEN + OTA_MANIFEST_MAX_LEN];
    TRY(port->read_target(port->ctx, delta->header.target_ext_start, entry, sizeof entry));
    uint32_t entry_len = ota_load16_le(entry + 2);
    if (ota_load16_le(entry) != ENTRY_MANIFEST) return OTA_ERR_IDENTITY;
    if (entry_len < ENTRY_HEAD_LEN || entry_len > sizeof entry) return OTA_ERR_IDENTITY;
    ota_sha256_digest(entry + ENTRY_HEAD_LEN, entry_len - ENTRY_HEAD_LEN, digest);
    return OTA_OK;
}

enum ota_status ota_delta_identity_check(struct ota_delta *delta, const struct ota_delta_port *port) {
    uint8_t digest[OTA_SHA256_LEN];
    if (delta->header.kind == OTA_DELTA_IMAGE) {
        TRY(image_identity(delta, port, digest));
    } else {
        sha256_so_far(delta, digest);
    }
    if (!ota_bytes_equal(digest, delta->header.target_identity, sizeof delta->header.target_identity)) {
        return OTA_ERR_IDENTITY;
    }
    return OTA_OK;
}
