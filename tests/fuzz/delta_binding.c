/* SPDX-License-Identifier: Apache-2.0 */
#include "delta_binding.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ota/bytes.h"
#include "ota/crc32.h"
#include "ota/image.h"
#include "ota/manifest.h"
#include "ota/sha256.h"

/* docs/spec/patch.md section 2 */
enum {
    KIND_MASK = 0x03,
    HAS_BASE = 0x04,
    PROFILE_SHIFT = 3,
    PROFILE_MASK = 0x03,
    PROFILES = 2,
    FORMAT_BITS = 2 << 5,
    BASE_CHECK_AT = 1,
    NUMBER_BYTES_MAX = 4,
    LEB128_MORE = 0x80,
    LOAD_BASE_MAX = 0xFFFFFF, /* in units */
};

enum {
    MENDED_TARGET_MAX = 1536, /* unless the base is longer: long ones take time */
    MENDED_GROWTH_MAX = 256,
    MANIFEST_AT = 4, /* in an image's tail */
    CRC_LEN = 4,
};

/* The decoder and what it counts in: globals of their own, so that the sanitizer guards their ends. */
static struct ota_delta decoder;
static uint16_t counters_small[OTA_DELTA_COUNTERS_SMALL];
static uint16_t counters_large[OTA_DELTA_COUNTERS_LARGE];

/* ---- what the decoder copies: copies.h ---- */

/* Arrays inside the decoder, which the address sanitizer does not tell from each other. */
static const struct {
    size_t begin, len;
} arrays[] = {
#define ARRAY(field) {offsetof(struct ota_delta, field), sizeof decoder.field}
    ARRAY(identity),         ARRAY(window),       ARRAY(reloc.window), ARRAY(kept.header),
    ARRAY(kept.input.bytes), ARRAY(kept.waiting), ARRAY(out),
#undef ARRAY
};

void fuzz_copy_check(const void *bytes, size_t len) {
    const uint8_t *first = bytes;
    const uint8_t *begin = (const uint8_t *)&decoder;
    if (first < begin || first >= begin + sizeof decoder) return;
    bool is_whole = first == begin && len == sizeof decoder;
    if (is_whole || (first == (const uint8_t *)&decoder.kept && len == sizeof decoder.kept)) return;
    size_t at = (size_t)(first - begin);
    for (size_t i = 0; i < sizeof arrays / sizeof *arrays; i++) {
        if (at >= arrays[i].begin && at - arrays[i].begin + len <= arrays[i].len) return;
    }
    if (len == 0) return;
    fprintf(stderr, "FINDING: a copy of %zu bytes at offset %zu of the decoder leaves its array\n", len, at);
    abort();
}

/* ---- headers ---- */

void fuzz_header_read(const struct ota_delta_header *header, struct fuzz_header *out) {
    uint32_t len = header->target.len, reloc_start = header->target.reloc_start;
    uint32_t blocks = (reloc_start + OTA_RELOC_BLOCK_LEN - 1) / OTA_RELOC_BLOCK_LEN;
    *out = (struct fuzz_header){.base_len = header->base.len, .target_len = len, .alignment = 1};
    if (header->kind != OTA_DELTA_IMAGE) {
        out->parts[0] = (struct fuzz_part){0, len};
        return;
    }
    uint32_t tail = len - OTA_IMAGE_TAIL_LEN;
    uint32_t lists = ota_min_u32(reloc_start + ((2 + 2 * blocks + 3) & ~3u), tail);
    out->alignment = 4;
    out->parts[0] = (struct fuzz_part){lists, tail};
    out->parts[1] = (struct fuzz_part){reloc_start, lists};
    out->parts[2] = (struct fuzz_part){0, reloc_start};
    out->parts[3] = (struct fuzz_part){tail, len};
}

enum fuzz_memory fuzz_patch_memory(const uint8_t *patch, uint32_t len) {
    bool is_large = len > 0 && (patch[0] >> PROFILE_SHIFT & PROFILE_MASK) > 1;
    return is_large ? FUZZ_MEMORY_LARGE : FUZZ_MEMORY_SMALL;
}

/* ---- the decoder ---- */

void fuzz_decoder_init(const struct fuzz_base *base, enum fuzz_memory memory, uint8_t fill) {
    bool is_large = memory == FUZZ_MEMORY_LARGE;
    uint16_t *counters = is_large ? counters_large : counters_small;
    uint32_t counters_len = is_large ? OTA_DELTA_COUNTERS_LARGE : OTA_DELTA_COUNTERS_SMALL;
    memset(&decoder, fill, sizeof decoder);
    memset(counters, fill, counters_len * sizeof *counters);
    ota_delta_init(&decoder, counters, counters_len, &base->facts);
}

enum ota_status fuzz_decoder_push(const struct ota_delta_port *port, const uint8_t *bytes, uint32_t len) {
    return ota_delta_push(&decoder, port, bytes, len);
}

enum ota_status fuzz_decoder_finish(const struct ota_delta_port *port) { return ota_delta_finish(&decoder, port); }

bool fuzz_decoder_is_done(void) { return ota_delta_is_done(&decoder); }

bool fuzz_decoder_has_overtaken(void) { return decoder.kept.input.zeros != 0; }

uint32_t fuzz_decoder_save(const struct ota_delta *delta, uint8_t out[FUZZ_STATE_MAX]) {
    uint32_t len = ota_delta_saved_len(delta);
    if (len > FUZZ_STATE_MAX) abort();
    ota_delta_save(delta, out + FUZZ_STATE_MAX - len);
    return len;
}

enum ota_status fuzz_decoder_resume(const struct fuzz_base *base, enum fuzz_memory memory, const uint8_t *saved,
                                    uint32_t len, uint8_t fill, uint32_t *patch_off) {
    fuzz_decoder_init(base, memory, fill);
    return ota_delta_resume(&decoder, saved, len, patch_off);
}

/* ---- targets ---- */

static bool image_holds(const uint8_t *target, uint32_t len, uint32_t reloc_start) {
    const uint8_t *tail = target + len - OTA_IMAGE_TAIL_LEN;
    uint32_t manifest_len = ota_load16_le(tail + 2) - MANIFEST_AT;
    uint8_t digest[OTA_SHA256_LEN];
    struct ota_manifest manifest;
    if (manifest_len > OTA_MANIFEST_MAX_LEN) return false;
    if (ota_manifest_parse(tail + MANIFEST_AT, manifest_len, &manifest) != OTA_OK) return false;
    if (manifest.ext_start != len - OTA_IMAGE_TAIL_LEN || manifest.reloc_start != reloc_start) return false;
    ota_sha256_digest(target, len - OTA_IMAGE_TAIL_LEN, digest);
    if (memcmp(digest, manifest.body_hash, sizeof digest) != 0) return false;
    ota_sha256_digest(tail + MANIFEST_AT, manifest_len, digest);
    return memcmp(digest, decoder.identity, sizeof decoder.identity) == 0;
}

static bool module_end_holds(const uint8_t *target, uint32_t len) {
    uint8_t digest[OTA_SHA256_LEN];
    const uint8_t *suffix = target + len - OTA_DELTA_MODULE_SUFFIX_LEN;
    ota_sha256_digest(target, len - OTA_DELTA_MODULE_SUFFIX_LEN, digest);
    if (memcmp(digest, suffix, sizeof digest) != 0) return false;
    return ota_load32_be(target + len - CRC_LEN) == ota_crc32(0, target, len - CRC_LEN);
}

bool fuzz_target_holds(const uint8_t *target) {
    const struct ota_delta_header *header = &decoder.kept.header;
    uint32_t len = header->target.len;
    uint8_t digest[OTA_SHA256_LEN];
    if (memcmp(decoder.identity, header->target_check, sizeof header->target_check) != 0) return false;
    if (header->kind != OTA_DELTA_RAW && !module_end_holds(target, len)) return false;
    if (header->kind == OTA_DELTA_IMAGE) return image_holds(target, len, header->target.reloc_start);
    ota_sha256_digest(target, len, digest);
    return memcmp(digest, decoder.identity, sizeof decoder.identity) == 0;
}

/* ---- mutations ---- */

/* A header taken apart, as far as there is one. */
struct parts {
    uint8_t what;
    uint8_t target_check[OTA_DELTA_TARGET_CHECK_LEN];
    uint32_t numbers[2]; /* those that this kind has, in their order */
    uint32_t len;
};

static uint32_t checks_len(uint8_t what) {
    return ((what & HAS_BASE) != 0 ? OTA_DELTA_BASE_CHECK_LEN : 0) + OTA_DELTA_TARGET_CHECK_LEN;
}

static uint32_t number_count(uint8_t what) {
    uint32_t kind = what & KIND_MASK;
    return kind < OTA_DELTA_MODULE_AT_0 || (what & HAS_BASE) == 0 ? 2 : 1;
}

static uint8_t byte_at(const uint8_t *patch, uint32_t len, uint32_t at) { return at < len ? patch[at] : 0; }

static struct parts take_apart(const uint8_t *patch, uint32_t len) {
    struct parts parts = {.what = byte_at(patch, len, 0)};
    uint32_t at = BASE_CHECK_AT + checks_len(parts.what);
    for (uint32_t i = 0; i < OTA_DELTA_TARGET_CHECK_LEN; i++) {
        parts.target_check[i] = byte_at(patch, len, at - OTA_DELTA_TARGET_CHECK_LEN + i);
    }
    for (uint32_t i = 0; i < number_count(parts.what); i++) {
        bool has_more = true;
        for (uint32_t shift = 0; has_more && shift < 7 * NUMBER_BYTES_MAX; shift += 7) {
            uint8_t byte = byte_at(patch, len, at);
            parts.numbers[i] |= (uint32_t)(byte & 0x7F) << shift;
            has_more = (byte & LEB128_MORE) != 0;
            at++;
        }
    }
    parts.len = ota_min_u32(at, len);
    return parts;
}

static uint32_t put_number(uint8_t *out, uint32_t value) {
    uint32_t len = 0;
    for (; value >= LEB128_MORE; value >>= 7) out[len++] = (uint8_t)(value | LEB128_MORE);
    out[len++] = (uint8_t)value;
    return len;
}

static uint32_t zigzag(int32_t change) { return change < 0 ? ~((uint32_t)change << 1) : (uint32_t)change << 1; }

/* `from` changed by the number, if that is in [least, most]; else somewhere in there. Both are multiples of `unit`. */
static uint32_t changed(uint32_t from, uint32_t number, uint32_t unit, uint32_t least, uint32_t most) {
    uint32_t value = from + ((number >> 1) ^ (0 - (number & 1))) * unit;
    if (value >= least && value <= most) return value;
    return least + value % (most - least + unit) / unit * unit;
}

static uint32_t put_change(uint8_t *out, uint32_t from, uint32_t to, uint32_t unit) {
    return put_number(out, zigzag(((int32_t)to - (int32_t)from) / (int32_t)unit));
}

/* Kinds that a patch of this base, or a full one beside it, may have. */
static uint8_t possible_kind(const struct ota_delta_layout *base, bool has_base, uint8_t kind) {
    bool is_image = base->reloc_start != base->len;
    if (!has_base) return kind;
    if (kind == OTA_DELTA_IMAGE || is_image) return is_image ? OTA_DELTA_IMAGE : OTA_DELTA_RAW;
    return kind;
}

static uint32_t target_min(uint32_t kind) {
    static const uint32_t least[] = {0, OTA_IMAGE_MIN_LEN, OTA_DELTA_MODULE_MIN_LEN,
                                     OTA_IMAGE_PREFIX_AT + OTA_DELTA_MODULE_MIN_LEN};
    return least[kind];
}

static uint32_t put_layout(uint8_t *out, const struct ota_delta_layout *base, uint32_t kind, const uint32_t *numbers) {
    bool is_image = kind == OTA_DELTA_IMAGE;
    uint32_t unit = is_image ? 4 : 1;
    uint32_t most = base->len > MENDED_TARGET_MAX ? base->len + MENDED_GROWTH_MAX : MENDED_TARGET_MAX;
    uint32_t target_len = changed(base->len, numbers[0], unit, target_min(kind), most);
    uint32_t len = put_change(out, base->len, target_len, unit);
    if (!is_image) return len;
    most = target_len - OTA_IMAGE_TAIL_LEN - unit;
    uint32_t reloc_start = changed(base->reloc_start, numbers[1], unit, OTA_IMAGE_BODY_AT, most);
    return len + put_change(out + len, base->reloc_start, reloc_start, unit);
}

uint32_t fuzz_patch_header_len(const uint8_t *patch, uint32_t len) { return take_apart(patch, len).len; }

uint32_t fuzz_patch_mend(uint8_t *patch, uint32_t len, uint32_t len_max, const struct fuzz_base *base) {
    static const struct ota_delta_layout nothing = {0, 0};
    struct parts parts = take_apart(patch, len);
    uint8_t header[OTA_DELTA_HEADER_MAX];
    uint32_t header_len = 1;
    bool has_base = base->facts.layout.len != 0 && (parts.what & HAS_BASE) != 0;
    uint8_t kind = possible_kind(&base->facts.layout, has_base, parts.what & KIND_MASK);
    uint32_t profile = ((uint32_t)parts.what >> PROFILE_SHIFT) % PROFILES + 1;
    const uint32_t *numbers = parts.numbers;

    header[0] = (uint8_t)(FORMAT_BITS | profile << PROFILE_SHIFT | (has_base ? HAS_BASE : 0) | kind);
    if (has_base) {
        memcpy(header + header_len, base->facts.check, OTA_DELTA_BASE_CHECK_LEN);
        header_len += OTA_DELTA_BASE_CHECK_LEN;
    }
    memcpy(header + header_len, parts.target_check, OTA_DELTA_TARGET_CHECK_LEN);
    header_len += OTA_DELTA_TARGET_CHECK_LEN;
    if (kind != OTA_DELTA_IMAGE && number_count(header[0]) == 2) {
        header_len += put_number(header + header_len, *numbers & LOAD_BASE_MAX);
        numbers++;
    }
    header_len += put_layout(header + header_len, has_base ? &base->facts.layout : &nothing, kind, numbers);

    uint32_t stream_len = ota_min_u32(len - parts.len, len_max > header_len ? len_max - header_len : 0);
    memmove(patch + header_len, patch + parts.len, stream_len);
    memcpy(patch, header, header_len);
    return header_len + stream_len;
}

void fuzz_patch_name_target(uint8_t *patch, uint32_t len) {
    static const uint8_t none[sizeof decoder.identity] = {0};
    uint32_t end = len > 0 ? BASE_CHECK_AT + checks_len(patch[0]) : 0;
    /* of an image without a manifest there is no name */
    if (end == 0 || len < end || memcmp(decoder.identity, none, sizeof none) == 0) return;
    memcpy(patch + end - OTA_DELTA_TARGET_CHECK_LEN, decoder.identity, OTA_DELTA_TARGET_CHECK_LEN);
}
