/* SPDX-License-Identifier: Apache-2.0 */
#include "delta_output.h"

#include <string.h>

#include "delta_input.h"
#include "ota/bytes.h"
#include "ota/crc32.h"
#include "ota/image.h"
#include "ota/manifest.h"
#include "ota/sha256.h"

enum {
    PIECE_LEN = 256, /* longest piece given to write_target */
    MODULE_END_LEN = 4,
    CRC_LEN = 4,
    NUMBER_HEAD_LEN = 2,    /* in the manifest: a key, and the head of a number */
    BODY_HASH_HEAD_LEN = 3, /* a key, and the head of 32 bytes */
    EXT_MANIFEST = 0x8100,
};

_Static_assert((int)OTA_DELTA_OUT_SIZE >= (int)OTA_IMAGE_TAIL_LEN + 4 + 4, "the tail waits here for its hashes");

uint32_t ota_delta_table_len(const struct ota_delta_header *header, const struct ota_delta_layout *layout) {
    if (!ota_delta_is_image(header) || layout->len == 0) return 0;
    return layout->len - OTA_IMAGE_TAIL_LEN - layout->reloc_start;
}

uint32_t ota_delta_body_len(const struct ota_delta_header *header, const struct ota_delta_layout *layout) {
    return layout->len - ota_delta_table_len(header, layout);
}

/* Bytes from here on wait for the derived fields among them. */
static uint32_t tail_position(const struct ota_delta_header *header) {
    if (ota_delta_is_image(header)) return header->target.reloc_start;
    if (header->kind == OTA_DELTA_RAW) return header->target.len;
    return (header->target.len - OTA_DELTA_MODULE_SUFFIX_LEN) & ~3u;
}

static uint32_t target_offset(const struct ota_delta_header *header, uint32_t position) {
    if (position < header->target.reloc_start) return position;
    return position + ota_delta_table_len(header, &header->target);
}

void ota_delta_fail(struct ota_delta *delta, enum ota_status status) {
    if (delta->kept.status == OTA_OK) delta->kept.status = status;
}

void ota_delta_write(struct ota_delta *delta, uint32_t off, const uint8_t *bytes, uint32_t len) {
    const struct ota_delta_port *port = delta->port;
    for (uint32_t done = 0; done < len && delta->kept.status == OTA_OK; done += PIECE_LEN) {
        /* cut: the slot holds more than the last checkpoint knows; after a resume the same bytes are written again. The
         * image is not whole before its last byte. */
        uint32_t piece = ota_min_u32(PIECE_LEN, len - done);
        delta->kept.status = port->write_target(port->ctx, off + done, bytes + done, piece);
    }
}

/* Writes the first `len` bytes that wait; they lie on one side of the relocation table. */
static void write_waiting(struct ota_delta *delta, uint32_t len) {
    uint32_t written = delta->kept.position - delta->out_len;
    ota_delta_write(delta, target_offset(&delta->kept.header, written), delta->out, len);
    delta->out_len -= len;
    memmove(delta->out, delta->out + len, delta->out_len);
}

/* Writes what waits below the tail: whole words, and everything where the part ends. */
static void flush(struct ota_delta *delta) {
    const struct ota_delta_kept *kept = &delta->kept;
    if (ota_delta_input_is_overrun(&kept->input)) ota_delta_fail(delta, OTA_ERR_PATCH_TRUNCATED);
    uint32_t below_tail = tail_position(&kept->header) - (kept->position - delta->out_len);
    if (below_tail > OTA_DELTA_LENGTH_MAX) return; /* what waits is in the tail */
    write_waiting(delta, delta->out_len < below_tail ? delta->out_len & ~3u : below_tail);
}

/* Where the module's end address is; the target's length where it is not derived. */
static uint32_t module_end_position(const struct ota_delta_header *header) {
    if (ota_delta_is_image(header)) return OTA_IMAGE_PREFIX_AT + MODULE_END_LEN;
    if (header->kind == OTA_DELTA_RAW) return header->target.len;
    return (header->kind == OTA_DELTA_MODULE_AT_0 ? 0 : OTA_IMAGE_PREFIX_AT) + MODULE_END_LEN;
}

/* Four bytes made, the first at `index` in the field: those inside it become the address. */
static void put_module_end(const struct ota_delta_header *header, uint32_t index, uint8_t *out) {
    uint32_t address = header->load_base + header->target.len - CRC_LEN;
    for (uint32_t i = 0; i < 4; i++) {
        if (index + i < MODULE_END_LEN) out[i] = (uint8_t)(address >> 8 * (index + i));
    }
}

void ota_delta_put(struct ota_delta *delta, uint32_t value, uint32_t count) {
    struct ota_delta_kept *kept = &delta->kept;
    /* wraps below the field, so one comparison finds what touches it */
    uint32_t index = kept->position - module_end_position(&kept->header);
    uint8_t *out = delta->out + delta->out_len;
    ota_store32_le(out, value);
    if (index + 3 < MODULE_END_LEN + 3) put_module_end(&kept->header, index, out);
    /* a raw target may end with half a halfword */
    count = ota_min_u32(count, kept->target_body_len - kept->position);
    delta->out_len += count;
    kept->position += count;
    if (delta->out_len >= PIECE_LEN) flush(delta);
}

void ota_delta_checkpoint_if_due(struct ota_delta *delta) {
    struct ota_delta_kept *kept = &delta->kept;
    if (kept->position < kept->checkpoint_due || kept->position >= tail_position(&kept->header)) return;
    kept->checkpoint_due += OTA_DELTA_CHECKPOINT_LEN;
    flush(delta);
    memcpy(kept->waiting, delta->out, sizeof kept->waiting);
    kept->waiting_len = (uint8_t)delta->out_len;
    if (delta->kept.status == OTA_OK)
        delta->kept.status = delta->port->checkpoint(delta->port->ctx, delta, kept->patch_off);
}

void ota_delta_read_body(struct ota_delta *delta, bool is_base, uint32_t position, uint8_t *out, uint32_t len) {
    const struct ota_delta_header *header = &delta->kept.header;
    const struct ota_delta_port *port = delta->port;
    /* the tail is never written before the end: what is written of the target lies before the table */
    uint32_t border = is_base ? header->base.reloc_start : delta->kept.position - delta->out_len;
    while (len > 0) {
        bool is_below = position < border;
        uint32_t piece = is_below ? ota_min_u32(len, border - position) : len;
        uint32_t off = is_below ? position : position + ota_delta_table_len(header, &header->base);
        if (!is_base && !is_below) {
            memcpy(out, delta->out + (position - border), piece);
        } else if (delta->kept.status == OTA_OK) {
            delta->kept.status = (is_base ? port->read_base : port->read_target)(port->ctx, off, out, piece);
        }
        position += piece;
        out += piece;
        len -= piece;
    }
}

enum ota_status ota_delta_read_target_body(const struct ota_delta *delta, uint32_t position, uint8_t *out,
                                           uint32_t len) {
    struct ota_delta reader = *delta;
    ota_delta_read_body(&reader, false, position, out, len);
    return (enum ota_status)reader.kept.status;
}

enum ota_status ota_delta_open_manifest(const uint8_t *tail, struct ota_manifest *manifest) {
    uint32_t len = ota_load16_le(tail + 2) - OTA_DELTA_MANIFEST_AT;
    if (ota_load16_le(tail) != EXT_MANIFEST ||
        ota_manifest_parse(tail + OTA_DELTA_MANIFEST_AT, len, manifest) != OTA_OK)
        return OTA_ERR_IDENTITY;
    return OTA_OK;
}

static void compare_identity(struct ota_delta *delta, const uint8_t digest[OTA_SHA256_LEN]) {
    memcpy(delta->identity, digest, sizeof delta->identity);
    bool is_same = ota_bytes_equal(digest, delta->kept.header.target_check, OTA_DELTA_TARGET_CHECK_LEN);
    if (!is_same) ota_delta_fail(delta, OTA_ERR_IDENTITY);
}

/* The fields behind a module's end: `sha` and `crc` are those of everything before the tail. */
static void put_suffix(struct ota_sha256 *sha, uint32_t crc, uint8_t *tail, uint32_t len) {
    uint8_t *suffix = tail + len - OTA_DELTA_MODULE_SUFFIX_LEN;
    ota_sha256_update(sha, tail, len - OTA_DELTA_MODULE_SUFFIX_LEN);
    ota_sha256_final(sha, suffix);
    ota_store32_be(tail + len - CRC_LEN, ota_crc32(crc, tail, len - CRC_LEN));
}

/* A number of the manifest, big-endian, that ends before `end`; where it begins. */
static uint8_t *put_number(uint8_t *end, uint32_t value) {
    for (uint32_t left = value < 0x10000 ? 2 : 4; left > 0; left--) {
        *--end = (uint8_t)value;
        value >>= 8;
    }
    return end;
}

/* Puts in what the header, or another field, says already; false: the manifest has not the room for it, or is none. */
static bool put_derived(const struct ota_delta_layout *layout, uint8_t *tail, struct ota_manifest *manifest) {
    uint32_t ext_start = layout->len - OTA_IMAGE_TAIL_LEN;
    if (ota_delta_open_manifest(tail, manifest) != OTA_OK) return false;
    uint8_t *number = put_number(tail + OTA_DELTA_MANIFEST_AT + manifest->body_hash_at - BODY_HASH_HEAD_LEN, ext_start);
    (void)put_number(number - NUMBER_HEAD_LEN, layout->reloc_start);
    /* numbers of another length have fallen apart */
    if (ota_delta_open_manifest(tail, manifest) != OTA_OK) return false;
    uint32_t ids = (uint32_t)manifest->product_id | (uint32_t)manifest->product_version << 16;
    ota_store32_le(tail + OTA_DELTA_PRODUCT_DATA_IDS, ids);
    ota_store32_le(tail + OTA_DELTA_SUFFIX_IDS, ids);
    return manifest->reloc_start == layout->reloc_start && manifest->ext_start == ext_start;
}

static void complete_image(struct ota_delta *delta, struct ota_sha256 *sha, uint32_t crc) {
    struct ota_manifest manifest;
    uint8_t *tail = delta->out;
    uint8_t digest[OTA_SHA256_LEN];
    struct ota_sha256 body = *sha;
    if (!put_derived(&delta->kept.header.target, tail, &manifest)) {
        ota_delta_fail(delta, OTA_ERR_IDENTITY);
        return;
    }
    ota_sha256_final(&body, tail + OTA_DELTA_MANIFEST_AT + manifest.body_hash_at);
    put_suffix(sha, crc, tail, OTA_IMAGE_TAIL_LEN);
    ota_manifest_identity(tail + OTA_DELTA_MANIFEST_AT, ota_load16_le(tail + 2) - OTA_DELTA_MANIFEST_AT, digest);
    compare_identity(delta, digest);
}

static void complete_module(struct ota_delta *delta, struct ota_sha256 *sha, uint32_t crc) {
    uint8_t digest[OTA_SHA256_LEN];
    struct ota_sha256 whole = *sha;
    if (delta->kept.header.kind != OTA_DELTA_RAW) put_suffix(sha, crc, delta->out, delta->out_len);
    ota_sha256_update(&whole, delta->out, delta->out_len);
    ota_sha256_final(&whole, digest);
    compare_identity(delta, digest);
}

void ota_delta_complete(struct ota_delta *delta) {
    const struct ota_delta_header *header = &delta->kept.header;
    const struct ota_delta_port *port = delta->port;
    struct ota_sha256 sha;
    uint32_t crc = 0, end = header->target.len, len;
    flush(delta);
    end -= delta->out_len;
    ota_sha256_init(&sha);
    for (uint32_t off = 0; off < end && delta->kept.status == OTA_OK; off += len) {
        len = ota_min_u32(sizeof delta->window, end - off);
        delta->kept.status = port->read_target(port->ctx, off, delta->window, len);
        ota_sha256_update(&sha, delta->window, len);
        crc = ota_crc32(crc, delta->window, len);
    }
    if (ota_delta_is_image(header)) {
        complete_image(delta, &sha, crc);
    } else {
        complete_module(delta, &sha, crc);
    }
    write_waiting(delta, delta->out_len);
}
