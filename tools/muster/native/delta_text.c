/* SPDX-License-Identifier: Apache-2.0 */
#include "delta_text.h"

#include <stdlib.h>

#include "delta_thumb.h"

/* What a reference is, and the image offset that it means. */
struct reference {
    uint32_t len; /* 0: none begins here */
    uint32_t kind;
    uint32_t referred;
};

enum {
    VECTORS_LEN = 0x800, /* with a low load address, smaller numbers are hardly addresses */
    LOW_LOAD_BASE = 0x10000,
};

static uint32_t load16(const uint8_t *bytes) { return (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8; }

static uint32_t load32(const uint8_t *bytes) { return load16(bytes) | load16(bytes + 2) << 16; }

uint32_t muster_text_common(const uint8_t *a, const uint8_t *b, uint32_t limit) {
    uint32_t len = 0;
    while (len + 8 <= limit) {
        uint64_t left;
        uint64_t right;
        memcpy(&left, a + len, sizeof left);
        memcpy(&right, b + len, sizeof right);
        if (left != right) break;
        len += 8;
    }
    while (len < limit && a[len] == b[len]) len++;
    return len;
}

struct normalizer {
    const struct muster_alignment *alignment;
    const uint8_t *is_pointer;
    const uint8_t *bytes;
    uint32_t len;
    uint32_t room; /* length of the longer image: both may point as far */
    uint8_t *normal;
};

static void store16(uint8_t *bytes, uint32_t halfword) {
    bytes[0] = (uint8_t)halfword;
    bytes[1] = (uint8_t)(halfword >> 8);
}

static bool is_pointer(const struct normalizer *self, uint32_t at) {
    if ((at & 3u) != 0) return false;
    if (self->is_pointer != NULL) return self->is_pointer[at / 4] != 0;
    uint32_t load_base = self->alignment->load_base;
    uint32_t offset = load32(self->bytes + at) - load_base;
    return offset < self->room && offset >= (load_base < LOW_LOAD_BASE ? VECTORS_LEN : 0);
}

static uint32_t kind_of(enum ota_thumb_class class) {
    bool is_call = class == OTA_THUMB_BL || class == OTA_THUMB_B_WIDE;
    return is_call ? MUSTER_REFERENCE_CALL : MUSTER_REFERENCE_NEAR;
}

/* The same instruction naming what follows it, wherever it is. */
static uint32_t neutral(enum ota_thumb_class class, uint32_t unit) {
    (void)ota_thumb_retarget(class, &unit, 0, 4);
    return unit;
}

static struct reference narrow_reference(const struct normalizer *self, uint32_t at) {
    uint32_t unit = load16(self->bytes + at);
    enum ota_thumb_class class = ota_thumb_class_narrow(unit);
    if (class == OTA_THUMB_NONE) return (struct reference){0, 0, 0};
    store16(self->normal + at, neutral(class, unit));
    return (struct reference){2, kind_of(class), ota_thumb_target(class, unit, at)};
}

static struct reference pointer_reference(const struct normalizer *self, uint32_t at) {
    store16(self->normal + at, 0x5AA5u); /* no reference's code looks like this */
    store16(self->normal + at + 2, 0);
    return (struct reference){4, MUSTER_REFERENCE_POINTER, load32(self->bytes + at) - self->alignment->load_base};
}

static struct reference wide_reference(const struct normalizer *self, uint32_t at) {
    /* Where pointers are known, such a word is no code. */
    if (self->is_pointer != NULL && is_pointer(self, at)) return pointer_reference(self, at);
    uint32_t unit = load32(self->bytes + at);
    enum ota_thumb_class class = ota_thumb_class_wide(unit);
    if (class == OTA_THUMB_NONE) {
        return is_pointer(self, at) ? pointer_reference(self, at) : (struct reference){0, 0, 0};
    }
    uint32_t normal = neutral(class, unit);
    store16(self->normal + at, normal);
    store16(self->normal + at + 2, normal >> 16);
    return (struct reference){4, kind_of(class), ota_thumb_target(class, unit, at)};
}

static void normalize(const struct normalizer *self, uint8_t *kind, uint32_t *referred) {
    uint32_t at = 0;
    while (at + 2 <= self->len) {
        struct reference found = {0, 0, 0};
        if (at + 4 <= self->len) found = wide_reference(self, at);
        if (found.len == 0) found = narrow_reference(self, at);
        referred[at / 2] = MUSTER_NOWHERE;
        if (found.len == 0) {
            at += 2;
            continue;
        }
        referred[at / 2] = found.referred;
        if (found.len == 4) referred[at / 2 + 1] = MUSTER_NOWHERE;
        for (uint32_t i = 0; i < found.len; i++) {
            kind[at + i] = (uint8_t)(found.kind | (i < 2 ? 0 : MUSTER_TEXT_REST));
        }
        at += found.len;
    }
}

static void text_fill(struct muster_text *text, const struct muster_alignment *alignment) {
    uint32_t room = text->base_len > text->target_len ? text->base_len : text->target_len;
    if (text->base_len != 0) memcpy(text->raw, alignment->base, text->base_len);
    if (text->target_len != 0) memcpy(text->raw + text->origin, alignment->target, text->target_len);
    memcpy(text->normal, text->raw, text->len);

    struct normalizer base = {alignment, alignment->base_is_pointer, text->raw, text->base_len, room, text->normal};
    normalize(&base, text->kind, text->referred);
    uint32_t origin = text->origin;
    struct normalizer target = {alignment, alignment->target_is_pointer, text->raw + origin, text->target_len,
                                room,      text->normal + origin};
    normalize(&target, text->kind + origin, text->referred + origin / 2);
}

bool muster_text_init(struct muster_text *text, const struct muster_alignment *alignment) {
    text->base_len = alignment->base_len;
    text->target_len = alignment->target_len;
    text->origin = (text->base_len + 4u) & ~3u; /* a gap of one byte at least */
    text->len = text->origin + text->target_len;
    size_t size = (size_t)text->len + MUSTER_TEXT_PADDING;
    text->raw = calloc(size, 1);
    text->normal = calloc(size, 1);
    text->kind = calloc(size, 1);
    text->referred = calloc(size / 2 + 1, sizeof *text->referred);
    if (text->raw == NULL || text->normal == NULL || text->kind == NULL || text->referred == NULL) return false;
    text_fill(text, alignment);
    return true;
}

void muster_text_free(struct muster_text *text) {
    free(text->raw);
    free(text->normal);
    free(text->kind);
    free(text->referred);
}
