/* SPDX-License-Identifier: Apache-2.0 */
#include "delta_predict.h"

#include <stddef.h>

#include "delta_map.h"
#include "delta_output.h"
#include "delta_repeats.h"
#include "ota/bytes.h"

enum {
    /* an image that is linked to address 0: a small number is no pointer */
    LOW_BASE_END = 0x10000,
    LOW_POINTER_MIN = 0x800,
};

static bool looks_like_pointer(const struct ota_delta_header *header, uint32_t word) {
    uint32_t least = header->load_base < LOW_BASE_END ? LOW_POINTER_MIN : 0;
    return word - header->load_base - least < header->base.len - least && header->base.len > least;
}

static bool looks_like_variable(uint32_t word) { return word - OTA_DELTA_RAM_START < OTA_DELTA_RAM_LEN; }

static bool is_address(const struct ota_delta_header *header, uint32_t word) {
    return looks_like_pointer(header, word) || looks_like_variable(word);
}

/* Whether the bytes around it are those of a literal pool: addresses, or the end of a function before it. */
static bool is_in_pool(const struct ota_delta_kept *kept, const uint8_t *source) {
    if (kept->view_before == OTA_DELTA_VIEW_BEFORE) {
        uint32_t word = ota_load32_le(source - 4), end = word >> 16;
        if (is_address(&kept->header, word) || end == 0x4770 || end == 0xBF00) return true; /* BX LR; NOP */
        if ((end & 0xFF00) == 0xBD00 || (end & 0xF800) == 0xE000) return true;              /* POP {..., PC}; B */
    }
    return kept->view_behind == OTA_DELTA_VIEW_BEHIND && is_address(&kept->header, ota_load32_le(source + 4));
}

/* Where `place` is now. What lies inside the source of the copy in progress moves with it; elsewhere the map knows. */
static uint32_t predict_place(struct ota_delta_kept *kept) {
    struct ota_delta_prediction *prediction = &kept->prediction;
    uint32_t place = prediction->named, moved = place + (kept->position - kept->view_place);
    prediction->confidence = OTA_DELTA_COVERED;
    if (kept->view_is_base == 0) return place;
    prediction->confidence = OTA_DELTA_LEARNED;
    if (moved - kept->copy_start < kept->copy_end - kept->copy_start) return moved;
    uint32_t mapped = ota_delta_map_place(kept, place);
    bool is_near = prediction->thumb >= OTA_THUMB_LOAD_WIDE;
    return prediction->confidence == OTA_DELTA_FAR && is_near ? moved : mapped;
}

/* A word that holds an address. The pointers of our own images are known; elsewhere the value says it. */
static bool is_word_of_class(struct ota_delta_kept *kept, const uint8_t *source) {
    struct ota_delta_prediction *prediction = &kept->prediction;
    bool is_aligned = ((kept->position | kept->view_place) & 3) == 0;
    bool is_pointer = kept->position == kept->next_pointer;
    if (!ota_delta_is_image(&kept->header)) {
        is_pointer = is_aligned && looks_like_pointer(&kept->header, prediction->raw);
    }
    prediction->class = OTA_DELTA_POINTER;
    prediction->origin = 0 - kept->header.load_base;
    if (is_pointer) return true;
    prediction->class = OTA_DELTA_VARIABLE;
    prediction->origin = 0;
    return is_aligned && looks_like_variable(prediction->raw) && (kept->view_is_base == 0 || is_in_pool(kept, source));
}

static const uint8_t CLASSES[] = {
    [OTA_THUMB_NONE] = OTA_DELTA_PLAIN,     [OTA_THUMB_BL] = OTA_DELTA_CALL,      [OTA_THUMB_B_WIDE] = OTA_DELTA_BRANCH,
    [OTA_THUMB_LOAD_WIDE] = OTA_DELTA_LOAD, [OTA_THUMB_B_COND] = OTA_DELTA_SHORT, [OTA_THUMB_B] = OTA_DELTA_SHORT,
    [OTA_THUMB_CBZ] = OTA_DELTA_SHORT,      [OTA_THUMB_LOAD] = OTA_DELTA_LOAD,    [OTA_THUMB_ADR] = OTA_DELTA_LOAD,
};

/* A unit of two halfwords; false: the first one stands alone. A branch that leaves its image is none. */
static bool is_wide(struct ota_delta_kept *kept, const uint8_t *source) {
    struct ota_delta_prediction *prediction = &kept->prediction;
    uint32_t raw = ota_load32_le(source), thumb = ota_thumb_class_wide(raw);
    uint32_t end = kept->view_is_base != 0 ? kept->header.base.reloc_start : kept->header.target.reloc_start;
    bool is_branch = thumb == OTA_THUMB_BL || thumb == OTA_THUMB_B_WIDE;
    prediction->len = 4;
    prediction->raw = raw;
    if (is_branch && ota_thumb_target(thumb, raw, kept->view_place) >= end) thumb = OTA_THUMB_NONE;
    if (kept->position == kept->next_pointer) thumb = OTA_THUMB_NONE;
    prediction->thumb = (uint8_t)thumb;
    prediction->class = CLASSES[thumb];
    return thumb != OTA_THUMB_NONE || is_word_of_class(kept, source);
}

static void set_narrow(struct ota_delta_kept *kept, const uint8_t *source, bool is_odd) {
    struct ota_delta_prediction *prediction = &kept->prediction;
    /* a copy from one byte before repeats it */
    uint32_t raw = source[0] | (uint32_t)source[kept->view_behind >= 2] << 8;
    uint32_t thumb = is_odd ? OTA_THUMB_NONE : ota_thumb_class_narrow(raw),
             class = is_odd ? OTA_DELTA_ODD : CLASSES[thumb];
    if (class == OTA_DELTA_PLAIN && ota_delta_substitution(kept, raw) != NULL) class = OTA_DELTA_SUBSTITUTED;
    prediction->len = 2;
    prediction->raw = raw;
    prediction->thumb = (uint8_t)thumb;
    prediction->class = (uint8_t)class;
}

void ota_delta_predict(struct ota_delta *delta, const uint8_t *source) {
    struct ota_delta_kept *kept = &delta->kept;
    struct ota_delta_prediction *prediction = &kept->prediction;
    bool is_odd = ((kept->view_place ^ kept->position) & 1) != 0;
    /* a known pointer is never the second half of something else */
    bool may_be_wide = !is_odd && kept->copy_end - kept->position >= 4 && kept->view_behind >= 4 &&
                       kept->next_pointer - kept->position != 2;
    if (!may_be_wide || !is_wide(kept, source)) set_narrow(kept, source, is_odd);

    prediction->bytes = prediction->raw;
    prediction->confidence = OTA_DELTA_FAR;
    if (!ota_delta_class_names(prediction->class)) return;
    uint32_t from = prediction->origin;
    if (prediction->thumb != OTA_THUMB_NONE) {
        from = kept->view_place;
        prediction->origin = kept->position;
    }
    prediction->named = ota_thumb_target(prediction->thumb, prediction->raw, from);
    prediction->bytes = ota_thumb_naming(prediction->thumb, prediction->raw, prediction->origin, predict_place(kept));
    if (prediction->bytes != prediction->raw) prediction->class++;
}
