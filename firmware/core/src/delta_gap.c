/* SPDX-License-Identifier: Apache-2.0 */
#include "delta_gap.h"

#include "delta_bits.h"
#include "delta_copy.h"
#include "delta_direction.h"
#include "delta_halfword.h"
#include "delta_output.h"
#include "delta_place.h"
#include "delta_source.h"
#include "delta_table.h"
#include "delta_thumb.h"
#include "delta_unit.h"

/* Whether a copy begins here. */
static uint32_t decide_copy(struct ota_delta *delta, uint32_t wanted) {
    const struct ota_delta_kept *kept = &delta->kept;
    uint32_t since = kept->literal_len == 0 ? 0 : kept->literal_len <= 4 ? 1 : 2;
    uint32_t context = ((since * 2 + kept->last_op) * 3 + kept->half) * 2 + (kept->position >> 1 & 1);
    return ota_delta_bit(delta, OTA_DELTA_AT_OP + context, wanted);
}

/* A word that the relocation table knows to be a pointer: into the image, or anything. */
static void take_pointer(struct ota_delta *delta) {
    struct ota_delta_kept *kept = &delta->kept;
    struct ota_delta_guess guess = {0};
    uint32_t wanted = ota_delta_wanted_bytes(delta, 4), load_base = kept->header.load_base, value;
    if (ota_delta_bit(delta, OTA_DELTA_AT_INSIDE_POINTER, wanted - load_base < kept->header.target.len) != 0) {
        uint32_t place = ota_delta_place(delta, kept->recent_places[0], OTA_DELTA_NOWHERE, (wanted - load_base) & ~1u);
        value = load_base + (place | ota_delta_bit(delta, OTA_DELTA_AT_CODE_POINTER, (wanted - load_base) & 1));
    } else {
        value = ota_delta_halfword(delta, &guess, wanted & 0xFFFF);
        value |= ota_delta_halfword(delta, &guess, wanted >> 16) << 16;
    }
    ota_delta_put_word(delta, value);
}

static bool wants_call(const struct ota_delta *delta, uint32_t wanted) {
    const struct ota_delta_kept *kept = &delta->kept;
    if (ota_thumb_class_wide(wanted) != OTA_THUMB_BL) return false;
    uint32_t place = ota_thumb_target(OTA_THUMB_BL, wanted, kept->position);
    return place < kept->header.target.reloc_start &&
           ota_thumb_naming(OTA_THUMB_BL, OTA_THUMB_BL_UNIT, kept->position, place) == wanted;
}

static void take_call(struct ota_delta *delta, uint32_t wanted) {
    uint32_t at = delta->kept.position;
    uint32_t place = ota_delta_place(delta, at + 4, OTA_DELTA_NOWHERE, ota_thumb_target(OTA_THUMB_BL, wanted, at));
    ota_delta_put_word(delta, ota_thumb_naming(OTA_THUMB_BL, OTA_THUMB_BL_UNIT, at, place));
}

static void take_literal(struct ota_delta *delta, uint32_t room) {
    struct ota_delta_kept *kept = &delta->kept;
    ota_delta_pass_pointer(delta);
    uint32_t to_pointer = kept->next_pointer - kept->position;
    if (to_pointer == 0 && room >= 4) {
        take_pointer(delta);
        return;
    }
    struct ota_delta_guess guess = {.may_be_call = kept->half != OTA_DELTA_FIRST_HALF && room >= 4 && to_pointer != 2};
    uint32_t wanted = ota_delta_wanted_bytes(delta, 4);
    guess.wants_call = OTA_DELTA_ENCODES && guess.may_be_call && wants_call(delta, wanted);
    uint32_t value = ota_delta_halfword(delta, &guess, wanted & 0xFFFF);
    if (guess.is_call) {
        take_call(delta, wanted);
    } else {
        ota_delta_put_halfword(delta, value);
    }
}

bool ota_delta_gap_step(struct ota_delta *delta, uint32_t end) {
    struct ota_delta_kept *kept = &delta->kept;
    uint32_t before = kept->position, room = end - before;
    struct ota_delta_segment wanted = ota_delta_wanted_copy(delta, end);
    if (room >= 2 && decide_copy(delta, wanted.len != 0 && wanted.target == before) != 0) {
        kept->last_op = OTA_DELTA_OP_COPY;
        ota_delta_copy_len(delta, end);
        return true;
    }
    take_literal(delta, room);
    kept->last_op = OTA_DELTA_OP_LITERAL;
    kept->literal_len += kept->position - before;
    return false;
}
