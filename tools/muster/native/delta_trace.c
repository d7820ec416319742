/* SPDX-License-Identifier: Apache-2.0 */
#include "delta_trace.h"

#include <stdlib.h>
#include <string.h>

#include "delta_buffers.h"
#include "delta_input.h"
#include "delta_log.h"
#include "delta_map.h"
#include "delta_output.h"
#include "delta_steps.h"
#include "delta_unit.h"
#include "ota/bytes.h"

/* The device's own decoder, step by step. What a step costs shows in the range coder's state around it: the interval
 * shrinks by 2^-bits, and each byte taken in makes it 2^8 times as large. So nothing is estimated, and all costs add
 * up to the stream. */
struct tracer {
    struct ota_delta delta;
    uint16_t counters[OTA_DELTA_COUNTERS_LARGE];
    const uint8_t *patch;
    uint32_t patch_len;
    uint64_t done; /* MUSTER_DELTA_TRACE_BIT times the bits that all steps so far have cost */
    struct muster_delta_trace *trace;
};

/* The decoder before a step. */
struct before {
    uint8_t state;
    uint32_t position;
    struct ota_delta_prediction prediction; /* of a copy's next unit */
};

/* ---- growing lists ---- */

static void *grown(void *list, uint32_t len, uint32_t *size, size_t item_size) {
    if (len < *size) return list;
    uint32_t larger = *size == 0 ? 1024 : 2 * *size;
    void *moved = realloc(list, larger * item_size);
    if (moved != NULL) *size = larger;
    return moved;
}

/* Adds to the last row what belongs to it: more of the same for no byte, or bytes that cost nothing any more. */
static bool joins(const struct muster_delta_spent *last, const struct muster_delta_spent *next) {
    if (last->coding != next->coding) return false;
    if (next->len == 0) return last->off == next->off;
    return next->cost == 0 && last->len != 0 && last->off + last->len == next->off;
}

static enum ota_status add_spent(struct muster_delta_trace *trace, struct muster_delta_spent spent) {
    if (spent.len == 0 && spent.cost == 0) return OTA_OK;
    if (trace->spent_len > 0 && joins(&trace->spent[trace->spent_len - 1], &spent)) {
        trace->spent[trace->spent_len - 1].cost += spent.cost;
        trace->spent[trace->spent_len - 1].len += spent.len;
        return OTA_OK;
    }
    void *list = grown(trace->spent, trace->spent_len, &trace->spent_size, sizeof *trace->spent);
    if (list == NULL) return OTA_ERR_BUFFER;
    trace->spent = list;
    trace->spent[trace->spent_len++] = spent;
    return OTA_OK;
}

static enum ota_status add_copied(struct muster_delta_trace *trace, struct muster_delta_copied copied) {
    void *list = grown(trace->copied, trace->copied_len, &trace->copied_size, sizeof *trace->copied);
    if (list == NULL) return OTA_ERR_BUFFER;
    trace->copied = list;
    trace->copied[trace->copied_len++] = copied;
    return OTA_OK;
}

/* ---- positions and offsets ---- */

static uint32_t offset_of(const struct ota_delta_header *header, const struct ota_delta_layout *layout,
                          uint32_t position) {
    return position < layout->reloc_start ? position : position + ota_delta_table_len(header, layout);
}

/* As much of [position, position + len) as lies on the first byte's side of the table. */
static uint32_t len_to_table(const struct ota_delta_layout *layout, uint32_t position, uint32_t len) {
    return position < layout->reloc_start ? ota_min_u32(len, layout->reloc_start - position) : len;
}

/* ---- copies ---- */

static enum ota_status note_copy(struct tracer *tracer, struct ota_delta_segment segment, bool in_map) {
    const struct ota_delta_header *header = &tracer->delta.kept.header;
    uint32_t base_len = tracer->delta.kept.base_body_len;
    bool from_target = segment.source >= base_len;
    const struct ota_delta_layout *layout = from_target ? &header->target : &header->base;
    if (from_target) segment.source -= base_len;
    while (segment.len > 0) {
        uint32_t len = len_to_table(&header->target, segment.target, segment.len);
        len = len_to_table(layout, segment.source, len);
        struct muster_delta_copied copied = {
            .target = offset_of(header, &header->target, segment.target),
            .source = offset_of(header, layout, segment.source),
            .len = len,
            .from_target = from_target,
            .in_map = in_map,
        };
        TRY(add_copied(tracer->trace, copied));
        segment.target += len;
        segment.source += len;
        segment.len -= len;
    }
    return OTA_OK;
}

static enum ota_status note_copies(struct tracer *tracer, uint8_t state) {
    const struct ota_delta_kept *kept = &tracer->delta.kept;
    if (state == OTA_DELTA_STATE_MAP_SOURCE) {
        return note_copy(tracer, ota_delta_map_segment(kept, kept->map_len - 1u), true);
    }
    if (state != OTA_DELTA_STATE_COPY_SOURCE) return OTA_OK;
    struct ota_delta_segment segment = {kept->copy_start, kept->source, kept->copy_end - kept->copy_start};
    return note_copy(tracer, segment, false);
}

/* ---- what a step was for ---- */

/* A literal word is a pointer or a call, or else it would have been two halfwords. */
static enum muster_delta_coding coding_of_literal(const struct ota_delta_kept *kept, uint32_t position) {
    if (kept->position - position < 4) return MUSTER_DELTA_LITERAL;
    return kept->next_pointer == position ? MUSTER_DELTA_POINTER : MUSTER_DELTA_BRANCH;
}

/* What a branch has become that is no longer one is not the branch's cost, but the change's. */
static enum muster_delta_coding coding_of_miss(const struct ota_delta_prediction *prediction, uint32_t made) {
    if (!ota_delta_class_names(prediction->class)) return MUSTER_DELTA_MISS;
    uint32_t class = prediction->class & ~1u; /* moved or not */
    if (class == OTA_DELTA_POINTER) return MUSTER_DELTA_POINTER;
    if (class == OTA_DELTA_VARIABLE) {
        /* a word that only seems to be an address in RAM may become anything */
        return ((made ^ prediction->bytes) & 0xFF000000) == 0 ? MUSTER_DELTA_POINTER : MUSTER_DELTA_MISS;
    }
    enum ota_thumb_class thumb = prediction->len == 4 ? ota_thumb_class_wide(made) : ota_thumb_class_narrow(made);
    if (thumb != (enum ota_thumb_class)prediction->thumb) return MUSTER_DELTA_MISS;
    return class == OTA_DELTA_LOAD ? MUSTER_DELTA_POINTER : MUSTER_DELTA_BRANCH;
}

static enum ota_status coding_of_unit(struct tracer *tracer, const struct before *before, uint8_t *coding) {
    const struct ota_delta_kept *kept = &tracer->delta.kept;
    bool is_clean = (kept->chunk & 1) != 0, is_hit = (kept->hit_history & 1) == 0;
    *coding = MUSTER_DELTA_HIT;
    if (is_clean || is_hit) return OTA_OK;
    uint8_t made[4] = {0};
    TRY(ota_delta_read_target_body(&tracer->delta, before->position, made, kept->position - before->position));
    *coding = (uint8_t)coding_of_miss(&before->prediction, ota_load32_le(made));
    return OTA_OK;
}

static enum ota_status coding_of_step(struct tracer *tracer, const struct before *before, uint8_t *coding) {
    const struct ota_delta_kept *kept = &tracer->delta.kept;
    switch ((enum ota_delta_state)before->state) {
    case OTA_DELTA_STATE_HEADER:
    case OTA_DELTA_STATE_MAP:
    case OTA_DELTA_STATE_MAP_SOURCE:
        *coding = MUSTER_DELTA_MAP;
        return OTA_OK;
    case OTA_DELTA_STATE_TABLE:
        *coding = MUSTER_DELTA_TABLE;
        return OTA_OK;
    case OTA_DELTA_STATE_COPY_SOURCE:
        *coding = MUSTER_DELTA_COPY;
        break;
    case OTA_DELTA_STATE_GAP:
        *coding = MUSTER_DELTA_COPY;
        if (kept->position != before->position) *coding = (uint8_t)coding_of_literal(kept, before->position);
        break;
    case OTA_DELTA_STATE_COPY:
        TRY(coding_of_unit(tracer, before, coding));
        break;
    case OTA_DELTA_STATE_COMPLETE:
    case OTA_DELTA_STATE_WRITTEN:
    case OTA_DELTA_STATE_FINISHED:
        return OTA_OK;
    }
    if (before->position >= kept->header.target.reloc_start) *coding = MUSTER_DELTA_TAIL;
    return OTA_OK;
}

/* ---- costs ---- */

/* Bits of the stream up to the coder's state, from the first byte behind the header. */
static uint64_t bits_done(const struct tracer *tracer) {
    const struct ota_delta_kept *kept = &tracer->delta.kept;
    uint64_t taken = kept->patch_off - ota_delta_input_available(&kept->input) + kept->input.zeros;
    return (taken - tracer->trace->header_len) * 8 * MUSTER_DELTA_TRACE_BIT -
           muster_log2(kept->range.size, MUSTER_DELTA_TRACE_BIT);
}

/* What a step for body bytes has cost; of a unit on both sides of the table, each side bears its share. */
static enum ota_status add_body(struct tracer *tracer, const struct before *before, uint64_t cost, uint8_t coding) {
    const struct ota_delta_kept *kept = &tracer->delta.kept;
    const struct ota_delta_header *header = &kept->header;
    uint32_t position = before->position, len = kept->position - position;
    uint32_t first_len = len_to_table(&header->target, position, len);
    uint64_t first_cost = len == 0 ? cost : cost * first_len / len;
    struct muster_delta_spent spent = {first_cost, offset_of(header, &header->target, position), first_len, coding};
    TRY(add_spent(tracer->trace, spent));
    if (first_len == len) return OTA_OK;
    uint32_t behind = offset_of(header, &header->target, position + first_len);
    spent = (struct muster_delta_spent){cost - first_cost, behind, len - first_len, MUSTER_DELTA_TAIL};
    return add_spent(tracer->trace, spent);
}

static enum ota_status add_step(struct tracer *tracer, const struct before *before) {
    const struct ota_delta_kept *kept = &tracer->delta.kept;
    const struct ota_delta_header *header = &kept->header;
    uint64_t done = bits_done(tracer), cost = done - tracer->done;
    uint8_t coding = MUSTER_DELTA_MAP;
    tracer->done = done;
    TRY(coding_of_step(tracer, before, &coding));
    if (coding == MUSTER_DELTA_TABLE) {
        /* its bytes are not written in the order of the steps: the first one stands for all of them */
        uint32_t first = header->target.reloc_start;
        const struct muster_delta_trace *trace = tracer->trace;
        bool is_known = trace->spent_len > 0 && trace->spent[trace->spent_len - 1].coding == MUSTER_DELTA_TABLE;
        uint32_t len = is_known ? 0 : ota_delta_table_len(header, &header->target);
        return add_spent(tracer->trace, (struct muster_delta_spent){cost, first, len, coding});
    }
    if (coding == MUSTER_DELTA_MAP) {
        uint32_t at = before->state == OTA_DELTA_STATE_HEADER ? 0 : kept->pending.target;
        uint32_t off = offset_of(header, &header->target, at);
        return add_spent(tracer->trace, (struct muster_delta_spent){cost, off, 0, coding});
    }
    return add_body(tracer, before, cost, coding);
}

/* ---- the run ---- */

static enum ota_status take_step(struct tracer *tracer) {
    struct ota_delta *delta = &tracer->delta;
    struct before before = {.state = delta->kept.state, .position = delta->kept.position};
    if (before.state == OTA_DELTA_STATE_COPY) TRY(ota_delta_unit_look(delta, &before.prediction));
    TRY(ota_delta_step(delta));
    if (before.state >= OTA_DELTA_STATE_COMPLETE) return OTA_OK;
    TRY(add_step(tracer, &before));
    return note_copies(tracer, before.state);
}

/* As ota_delta_push() feeds it: no step finds less than it may need, unless the patch ends. */
static enum ota_status run(struct tracer *tracer) {
    struct ota_delta_kept *kept = &tracer->delta.kept;
    while (kept->state < OTA_DELTA_STATE_WRITTEN) {
        if (ota_delta_input_available(&kept->input) < OTA_DELTA_STEP_INPUT_MAX) {
            kept->patch_off += ota_delta_input_fill(&kept->input, tracer->patch + kept->patch_off,
                                                    tracer->patch_len - kept->patch_off);
        }
        TRY(take_step(tracer));
    }
    bool is_all = ota_delta_input_available(&kept->input) == 0 && kept->patch_off == tracer->patch_len;
    return is_all ? OTA_OK : OTA_ERR_PATCH_TRAILING;
}

enum ota_status muster_delta_trace(const uint8_t *base, const struct ota_delta_base *base_facts, const uint8_t *patch,
                                   uint32_t patch_len, uint8_t *target, uint32_t target_size,
                                   struct muster_delta_trace *trace) {
    struct muster_buffers buffers = {base, base_facts->layout.len, target, target_size, 0};
    const struct ota_delta_port port = muster_buffers_port(&buffers);
    struct ota_delta_header header;
    memset(trace, 0, sizeof *trace);
    TRY(ota_delta_header_parse(patch, patch_len, base_facts, &header, &trace->header_len));
    struct tracer *tracer = calloc(1, sizeof *tracer);
    if (tracer == NULL) return OTA_ERR_BUFFER;
    ota_delta_init(&tracer->delta, tracer->counters, OTA_DELTA_COUNTERS_LARGE, base_facts);
    tracer->delta.port = &port;
    tracer->patch = patch;
    tracer->patch_len = patch_len;
    tracer->trace = trace;
    enum ota_status status = run(tracer);
    free(tracer);
    return status;
}

void muster_delta_trace_free(struct muster_delta_trace *trace) {
    free(trace->spent);
    free(trace->copied);
    memset(trace, 0, sizeof *trace);
}
