/* SPDX-License-Identifier: Apache-2.0 */
#include "delta_copy.h"

#include "delta_bits.h"
#include "delta_direction.h"
#include "delta_map.h"
#include "delta_output.h"
#include "delta_place.h"
#include "delta_source.h"
#include "ota/bytes.h"

enum {
    NEAR_SHIFT = 4096, /* an encoder takes a source that is further from where the last one ended for a far one */
    NONE = OTA_DELTA_RECENT_SHIFTS,
};

/* What a shift is coded against. */
struct shift_context {
    uint32_t counters;    /* first one of the set: of map segments or of other copies */
    uint32_t literal_len; /* bytes between this copy and the one before */
    uint32_t has_literals;
};

/* Counters of a set, in delta_model.h: OTA_DELTA_AT_SHIFT. Those that are two go by whether literals are between. */
enum {
    LAST = 0,      /* the shift of the last copy: two */
    RECENT = 2,    /* three older ones */
    NEAR_LAST = 5, /* two */
    CONTINUED = 7, /* the source goes on where the last copy's ended */
    ODD = 8,       /* two */
    FAR_ODD = 10,
};

static uint32_t bit(struct ota_delta *delta, const struct shift_context *context, uint32_t counter, bool wanted) {
    return ota_delta_bit(delta, context->counters + counter, wanted);
}

/* The shift of a copy that skips some of the last copy's source, or goes back in it. */
static uint32_t take_near(struct ota_delta *delta, const struct shift_context *context, uint32_t wanted) {
    uint32_t continued = delta->kept.shifts[0] - context->literal_len, has_literals = context->has_literals;
    uint32_t skipped = wanted - continued;
    if (has_literals != 0 && bit(delta, context, CONTINUED, skipped == 0) != 0) return continued;
    uint32_t is_odd = bit(delta, context, ODD + has_literals, skipped & 1);
    return is_odd + ota_delta_place_near(delta, OTA_DELTA_NUMBER_SKIP + has_literals, continued, wanted - is_odd);
}

/* Anywhere: by its distance back in the history. */
static uint32_t take_far(struct ota_delta *delta, const struct shift_context *context, uint32_t wanted) {
    uint32_t base_len = delta->kept.base_body_len, back = base_len - wanted;
    uint32_t is_odd = bit(delta, context, FAR_ODD, back & 1);
    return base_len - is_odd - 2 * ota_delta_number(delta, OTA_DELTA_NUMBER_DISTANCE, back >> 1);
}

static uint32_t find_shift(const struct ota_delta_kept *kept, uint32_t wanted) {
    uint32_t index = 0;
    while (index < NONE && kept->shifts[index] != wanted) index++;
    return index;
}

/* Makes `shift`, which was at `index` of the recent ones (or beyond them), the last one. */
static void note_shift(struct ota_delta_kept *kept, uint32_t index, uint32_t shift) {
    ota_delta_move_to_front(kept->shifts, ota_min_u32(index, NONE - 1), shift);
}

/* `index` receives where the shift is among the recent ones. */
static uint32_t take_shift(struct ota_delta *delta, const struct shift_context *context, uint32_t wanted,
                           uint32_t *index) {
    struct ota_delta_kept *kept = &delta->kept;
    uint32_t wanted_index = OTA_DELTA_ENCODES ? find_shift(kept, wanted) : 0, last = kept->shifts[0];
    *index = 0;
    if (bit(delta, context, LAST + context->has_literals, wanted_index == 0) != 0) return last;
    for (*index = 1; *index < NONE; ++*index) {
        if (bit(delta, context, RECENT - 1 + *index, wanted_index == *index) != 0) return kept->shifts[*index];
    }
    bool wants_near = wanted + context->literal_len - last + NEAR_SHIFT <= 2 * NEAR_SHIFT;
    bool is_near = kept->base_body_len > 0 && bit(delta, context, NEAR_LAST + context->has_literals, wants_near) != 0;
    return is_near ? take_near(delta, context, wanted) : take_far(delta, context, wanted);
}

/* The source of the pending copy or segment. */
static void take_source(struct ota_delta *delta, struct shift_context *context, struct ota_delta_segment wanted) {
    struct ota_delta_kept *kept = &delta->kept;
    struct ota_delta_segment *pending = &kept->pending;
    uint32_t base_len = kept->base_body_len, index;
    context->has_literals = context->literal_len > 0;
    uint32_t shift = take_shift(delta, context, wanted.source - wanted.target, &index),
             source = pending->target + shift;
    note_shift(kept, index, shift);
    pending->source = source;
    bool is_possible = source < base_len ? pending->len <= base_len - source : source - base_len < pending->target;
    if (!is_possible) ota_delta_fail(delta, OTA_ERR_PATCH_RANGE);
}

void ota_delta_copy_reset(struct ota_delta *delta) {
    for (uint32_t i = 0; i < OTA_DELTA_RECENT_SHIFTS; i++) delta->kept.shifts[i] = 0;
}

/* ---- map segments ---- */

void ota_delta_map_step(struct ota_delta *delta) {
    struct ota_delta_kept *kept = &delta->kept;
    struct ota_delta_segment wanted = ota_delta_wanted_map_segment(delta);
    uint32_t gap = 2 * ota_delta_number(delta, OTA_DELTA_NUMBER_MAP_GAP, (wanted.target - kept->map_end) / 2);
    uint32_t room = kept->target_body_len - kept->map_end, to_end = (room - gap) & ~1u, len = to_end;
    bool may_be_last = kept->map_len + 1u == kept->map_count;
    if (gap < room && (!may_be_last || ota_delta_bit(delta, OTA_DELTA_AT_TO_END, wanted.len == to_end) == 0)) {
        len = 2 + 2 * ota_delta_number(delta, OTA_DELTA_NUMBER_MAP_LEN, wanted.len / 2 - 1);
    }
    if (gap >= room || len > to_end || len == 0) ota_delta_fail(delta, OTA_ERR_PATCH_RANGE);
    kept->pending.target = kept->map_end + gap;
    kept->pending.len = len;
}

void ota_delta_map_source_step(struct ota_delta *delta) {
    struct ota_delta_kept *kept = &delta->kept;
    struct ota_delta_segment *pending = &kept->pending;
    struct shift_context context = {.counters = OTA_DELTA_AT_MAP_SHIFT, .literal_len = pending->target - kept->map_end};
    take_source(delta, &context, ota_delta_wanted_map_segment(delta));
    if (pending->source >= kept->base_body_len) ota_delta_fail(delta, OTA_ERR_PATCH_RANGE);
    kept->map_end = pending->target + pending->len;
    ota_delta_map_add(kept);
}

/* ---- copies ---- */

static void begin_pending(struct ota_delta *delta) {
    struct ota_delta_kept *kept = &delta->kept;
    kept->literal_len = 0;
    kept->source = kept->pending.source;
    kept->copy_start = kept->position;
    kept->chunk_end = kept->position;
    kept->copy_end = kept->position + kept->pending.len;
    ota_delta_source_begin(delta);
}

void ota_delta_copy_begin_segment(struct ota_delta *delta) {
    struct ota_delta_kept *kept = &delta->kept;
    struct ota_delta_segment *pending = &kept->pending;
    *pending = ota_delta_map_segment(kept, kept->next_segment++);
    uint32_t shift = pending->source - pending->target;
    note_shift(kept, NONE, shift);
    begin_pending(delta);
}

void ota_delta_copy_len(struct ota_delta *delta, uint32_t end) {
    struct ota_delta_kept *kept = &delta->kept;
    struct ota_delta_segment wanted = ota_delta_wanted_copy(delta, end);
    uint32_t len = 2 + 2 * ota_delta_number(delta, OTA_DELTA_NUMBER_COPY_LEN, wanted.len / 2 - 1);
    if (len > end - kept->position) ota_delta_fail(delta, OTA_ERR_PATCH_RANGE);
    kept->pending.target = kept->position;
    kept->pending.len = len;
}

void ota_delta_copy_source_step(struct ota_delta *delta) {
    struct ota_delta_kept *kept = &delta->kept;
    const struct ota_delta_segment *pending = &kept->pending;
    struct shift_context context = {.counters = OTA_DELTA_AT_SHIFT, .literal_len = kept->literal_len};
    take_source(delta, &context, ota_delta_wanted_copy(delta, kept->position + pending->len));
    if (pending->source < kept->base_body_len && pending->len >= OTA_DELTA_LEARN_LEN_MIN)
        ota_delta_map_learn(kept, pending->source, kept->position);
    begin_pending(delta);
}
