/* SPDX-License-Identifier: Apache-2.0 */
#include "ota/delta.h"

#include <string.h>

#include "delta_model.h"
#include "delta_output.h"
#include "ota/bytes.h"
#include "range_decoder.h"

/*            +------------------------------------------+
 *            v                                          |
 * HEADER -> START -> OPERATION -> LITERAL, BASE, TARGET-+   (each makes one byte per step)
 *                        |
 *                        +-> next part, or WRITTEN -> FINISHED (by ota_delta_finish)
 */
enum state {
    STATE_HEADER = 0,
    STATE_START = 1,
    STATE_OPERATION = 2,
    STATE_LITERAL = 3,
    STATE_BASE = 4,
    STATE_TARGET = 5,
    STATE_WRITTEN = 6,
    STATE_FINISHED = 7,
};

/* Changes with every change of struct ota_delta or of what its fields mean. */
static const uint32_t LAYOUT = 0x31544C44;

_Static_assert(sizeof(struct ota_delta) <= OTA_DELTA_STATE_MAX, "profile 1 promises this much memory");
_Static_assert((int)OTA_DELTA_AT_END == (int)OTA_DELTA_COUNTERS, "the model fills its counters");
_Static_assert((int)OTA_DELTA_STEP_INPUT_MAX <= (int)OTA_DELTA_LOOKAHEAD_SIZE, "a step finds its input");
_Static_assert((int)OTA_DELTA_HEADER_SIZE <= (int)OTA_DELTA_STEP_INPUT_MAX, "the header is one step");

void ota_delta_init(struct ota_delta *delta, uint32_t profiles) {
    memset(delta, 0, sizeof *delta);
    delta->layout = LAYOUT;
    delta->status = OTA_OK;
    delta->profiles = profiles;
    delta->state = STATE_HEADER;
    ota_range_init(&delta->range);
}

static enum ota_status step_header(struct ota_delta *delta, const struct ota_delta_port *port) {
    struct ota_range_decoder *range = &delta->range;
    TRY(ota_delta_header_parse(range->in + range->in_pos, ota_range_available(range), &delta->header));
    range->in_pos += OTA_DELTA_HEADER_SIZE;

    /* this decoder's model is profile 1's; a mask that promises more does not make it another */
    if (delta->header.profile != 1 || (delta->profiles & OTA_DELTA_PROFILE_4K) == 0) return OTA_ERR_PATCH_PROFILE;
    TRY(port->begin(port->ctx, &delta->header));
    delta->state = STATE_START;
    return OTA_OK;
}

static void part_begin(struct ota_delta *delta) {
    delta->last_operation = OTA_DELTA_OP_NONE;
    delta->alignment = ota_delta_part_alignment(&delta->header, delta->part);
}

static enum ota_status step_start(struct ota_delta *delta) {
    ota_range_start(&delta->range);
    ota_delta_model_init(delta->counters);
    delta->hit_history = UINT32_MAX;
    delta->hit_run = 0;
    ota_delta_output_init(delta);
    part_begin(delta);
    delta->state = STATE_OPERATION;
    return delta->range.overrun != 0 ? OTA_ERR_PATCH_TRUNCATED : OTA_OK;
}

/* A number from 0 to 2^25 - 2. */
static enum ota_status decode_number(struct ota_delta *delta, enum ota_delta_number kind, uint32_t *out) {
    uint16_t *tree = delta->counters + ota_delta_number_tree(kind);
    uint32_t bits = ota_range_tree(&delta->range, tree, 5, OTA_DELTA_RATE_OPERATION);
    if (bits > OTA_DELTA_NUMBER_BITS_MAX) return OTA_ERR_PATCH_RANGE;
    *out = (1u << bits | ota_range_even(&delta->range, bits)) - 1;
    return OTA_OK;
}

static enum ota_delta_operation decode_operation(struct ota_delta *delta) {
    uint32_t last = delta->last_operation;
    uint16_t *counters = delta->counters;
    /* a literal run is never followed by another one */
    if (last != OTA_DELTA_OP_LITERAL) {
        uint16_t *is_copy = &counters[OTA_DELTA_AT_IS_COPY + last];
        if (ota_range_bit(&delta->range, is_copy, OTA_DELTA_RATE_OPERATION) == 0) return OTA_DELTA_OP_LITERAL;
    }
    uint16_t *is_target = &counters[OTA_DELTA_AT_IS_TARGET + last];
    if (ota_range_bit(&delta->range, is_target, OTA_DELTA_RATE_OPERATION) != 0) return OTA_DELTA_OP_TARGET;
    return OTA_DELTA_OP_BASE;
}

static enum ota_status begin_base_copy(struct ota_delta *delta) {
    uint32_t shift = 0;
    TRY(decode_number(delta, OTA_DELTA_NUMBER_SHIFT, &shift));
    uint32_t off = ota_delta_offset(&delta->header, ota_delta_position(delta));
    delta->alignment += (shift & 1) != 0 ? ~(shift >> 1) : shift >> 1;
    delta->source = off + delta->alignment;

    uint32_t base_len = delta->header.base_len;
    if (delta->source > base_len || delta->run_left > base_len - delta->source) return OTA_ERR_PATCH_RANGE;
    delta->state = STATE_BASE;
    return OTA_OK;
}

static enum ota_status begin_target_copy(struct ota_delta *delta) {
    uint32_t distance_less_1 = 0;
    TRY(decode_number(delta, OTA_DELTA_NUMBER_DISTANCE, &distance_less_1));
    uint32_t position = ota_delta_position(delta);
    if (distance_less_1 >= position) return OTA_ERR_PATCH_RANGE;
    delta->source = position - 1 - distance_less_1;
    delta->state = STATE_TARGET;
    return OTA_OK;
}

static enum ota_status begin_operation(struct ota_delta *delta) {
    static const uint8_t LEN_NUMBERS[] = {
        [OTA_DELTA_OP_LITERAL] = OTA_DELTA_NUMBER_LITERAL_LEN,
        [OTA_DELTA_OP_BASE] = OTA_DELTA_NUMBER_BASE_LEN,
        [OTA_DELTA_OP_TARGET] = OTA_DELTA_NUMBER_TARGET_LEN,
    };
    enum ota_delta_operation operation = decode_operation(delta);
    uint32_t len_less_1 = 0;
    TRY(decode_number(delta, LEN_NUMBERS[operation], &len_less_1));
    uint32_t part_left = ota_delta_part_end(&delta->header, delta->part) - ota_delta_position(delta);
    if (len_less_1 >= part_left) return OTA_ERR_PATCH_RANGE;

    delta->run_left = len_less_1 + 1;
    delta->source_len = 0;
    delta->last_operation = (uint8_t)operation;
    if (operation == OTA_DELTA_OP_BASE) return begin_base_copy(delta);
    if (operation == OTA_DELTA_OP_TARGET) return begin_target_copy(delta);
    delta->state = STATE_LITERAL;
    return OTA_OK;
}

static enum ota_status step_operation(struct ota_delta *delta, const struct ota_delta_port *port) {
    if (ota_delta_position(delta) == ota_delta_part_end(&delta->header, delta->part)) {
        bool is_last = delta->part == OTA_DELTA_PART_TAIL;
        TRY(ota_delta_part_next(delta, port));
        if (is_last) {
            delta->state = STATE_WRITTEN;
        } else {
            part_begin(delta);
        }
        return OTA_OK;
    }
    /* with bytes missing the numbers are wrong too: that cause is the better answer */
    enum ota_status status = begin_operation(delta);
    return delta->range.overrun != 0 ? OTA_ERR_PATCH_TRUNCATED : status;
}

static uint8_t decode_byte(struct ota_delta *delta, uint32_t tree) {
    return (uint8_t)ota_range_tree(&delta->range, delta->counters + tree, 8, OTA_DELTA_RATE_TREE);
}

/* Counts the byte that the step is about to put. */
static void advance(struct ota_delta *delta) {
    delta->source++;
    delta->run_left--;
    if (delta->run_left == 0) delta->state = STATE_OPERATION;
}

static enum ota_status step_literal(struct ota_delta *delta, const struct ota_delta_port *port) {
    uint8_t byte = 0;
    if (!ota_delta_derived_byte(delta, &byte)) {
        uint32_t off = ota_delta_offset(&delta->header, ota_delta_position(delta));
        byte = decode_byte(delta, ota_delta_literal_tree(off));
    }
    advance(delta);
    return ota_delta_put(delta, port, byte);
}

/* The source byte of the current copy. Read in pieces, but never behind what is already written: a copy may read
 * what it writes itself. */
static enum ota_status source_byte(struct ota_delta *delta, const struct ota_delta_port *port, uint8_t *byte) {
    uint32_t index = delta->source - delta->source_first;
    if (index >= delta->source_len) {
        uint32_t len = ota_min_u32(delta->run_left, OTA_DELTA_SOURCE_SIZE);
        delta->source_len = 0;
        if (delta->state == STATE_BASE) {
            TRY(port->read_base(port->ctx, delta->source, delta->source_bytes, len));
        } else {
            TRY(ota_delta_read_back(delta, port, delta->source, delta->source_bytes, &len));
        }
        delta->source_first = delta->source;
        delta->source_len = len;
        index = 0;
    }
    *byte = delta->source_bytes[index];
    return OTA_OK;
}

static enum ota_status step_base(struct ota_delta *delta, const struct ota_delta_port *port) {
    uint8_t byte = 0;
    if (!ota_delta_derived_byte(delta, &byte)) {
        TRY(source_byte(delta, port, &byte));
        uint16_t *counter = delta->counters + ota_delta_hit_counter(delta->hit_history, delta->hit_run);
        uint32_t hit = ota_range_bit(&delta->range, counter, OTA_DELTA_RATE_HIT);
        delta->hit_history = delta->hit_history << 1 | hit;
        delta->hit_run = hit != 0 ? delta->hit_run + 1 : 0;
        if (hit == 0) {
            uint32_t off = ota_delta_offset(&delta->header, ota_delta_position(delta));
            byte = (uint8_t)(byte + decode_byte(delta, ota_delta_difference_tree(off)));
        }
    }
    advance(delta);
    return ota_delta_put(delta, port, byte);
}

static enum ota_status step_target(struct ota_delta *delta, const struct ota_delta_port *port) {
    uint8_t byte = 0;
    if (!ota_delta_derived_byte(delta, &byte)) TRY(source_byte(delta, port, &byte));
    advance(delta);
    return ota_delta_put(delta, port, byte);
}

static enum ota_status step(struct ota_delta *delta, const struct ota_delta_port *port) {
    switch ((enum state)delta->state) {
    case STATE_HEADER:
        return step_header(delta, port);
    case STATE_START:
        return step_start(delta);
    case STATE_OPERATION:
        return step_operation(delta, port);
    case STATE_LITERAL:
        return step_literal(delta, port);
    case STATE_BASE:
        return step_base(delta, port);
    case STATE_TARGET:
        return step_target(delta, port);
    case STATE_WRITTEN:
    case STATE_FINISHED:
        break;
    }
    return OTA_ERR_STATE;
}

/* Steps while the worst case of a step is in the look-ahead, or nothing more will come. */
static enum ota_status run(struct ota_delta *delta, const struct ota_delta_port *port) {
    while (delta->state < STATE_WRITTEN) {
        if (delta->ended == 0 && ota_range_available(&delta->range) < OTA_DELTA_STEP_INPUT_MAX) return OTA_OK;
        TRY(step(delta, port));
    }
    return ota_range_available(&delta->range) != 0 ? OTA_ERR_PATCH_TRAILING : OTA_OK;
}

static enum ota_status push(struct ota_delta *delta, const struct ota_delta_port *port, const uint8_t *bytes,
                            uint32_t len) {
    while (len > 0) {
        if (delta->state >= STATE_WRITTEN) return OTA_ERR_PATCH_TRAILING;
        uint32_t taken = ota_range_fill(&delta->range, bytes, len);
        bytes += taken;
        len -= taken;
        delta->patch_off += taken;
        TRY(run(delta, port));
    }
    return OTA_OK;
}

static enum ota_status finish(struct ota_delta *delta, const struct ota_delta_port *port) {
    if (delta->state == STATE_FINISHED) return OTA_OK;
    delta->ended = 1;
    TRY(run(delta, port));
    TRY(ota_delta_identity_check(delta, port));
    delta->state = STATE_FINISHED;
    return OTA_OK;
}

enum ota_status ota_delta_push(struct ota_delta *delta, const struct ota_delta_port *port, const uint8_t *bytes,
                               uint32_t len) {
    if (delta->status == OTA_OK) delta->status = push(delta, port, bytes, len);
    return (enum ota_status)delta->status;
}

enum ota_status ota_delta_finish(struct ota_delta *delta, const struct ota_delta_port *port) {
    if (delta->status == OTA_OK) delta->status = finish(delta, port);
    return (enum ota_status)delta->status;
}

bool ota_delta_is_done(const struct ota_delta *delta) {
    return delta->status == OTA_OK && delta->state == STATE_FINISHED;
}

/* The bounds that the decoder itself relies on; a damaged checkpoint must not lead it out of its memory. */
static bool checkpoint_holds(const struct ota_delta *delta) {
    const struct ota_delta_header *header = &delta->header;
    if (delta->layout != LAYOUT || delta->status != OTA_OK) return false;
    if (delta->state < STATE_OPERATION || delta->state > STATE_TARGET) return false;
    if (delta->part > OTA_DELTA_PART_TAIL || delta->last_operation > OTA_DELTA_OP_TARGET) return false;
    if (header->base_len > OTA_DELTA_LENGTH_MAX || header->target_len > OTA_DELTA_LENGTH_MAX) return false;
    if (header->target_ext_start > header->target_len) return false;
    if (header->target_reloc_start > header->target_ext_start) return false;
    if (delta->out_len != 0 || delta->out_hashed != 0 || delta->source_len > OTA_DELTA_SOURCE_SIZE) return false;
    if (delta->range.in_len > OTA_DELTA_LOOKAHEAD_SIZE || delta->range.in_pos > delta->range.in_len) return false;
    uint32_t end = ota_delta_part_end(header, delta->part);
    if (delta->written > end || delta->run_left > end - delta->written) return false;
    if (delta->state == STATE_OPERATION) return true;
    if (delta->run_left == 0) return false;
    if (delta->state == STATE_TARGET) return delta->source < delta->written;
    if (delta->state == STATE_LITERAL) return true;
    return delta->source <= header->base_len && delta->run_left <= header->base_len - delta->source;
}

enum ota_status ota_delta_resume(struct ota_delta *delta, uint32_t *patch_off) {
    if (!checkpoint_holds(delta)) return OTA_ERR_STATE;
    *patch_off = delta->patch_off;
    return OTA_OK;
}
