/* SPDX-License-Identifier: Apache-2.0 */
#include "ota/delta.h"

#include <string.h>

#include "delta_bits.h"
#include "delta_copy.h"
#include "delta_direction.h"
#include "delta_gap.h"
#include "delta_input.h"
#include "delta_map.h"
#include "delta_model.h"
#include "delta_output.h"
#include "delta_predict.h"
#include "delta_source.h"
#include "delta_steps.h"
#include "delta_table.h"
#include "delta_unit.h"
#include "ota/bytes.h"
#include "ota/image.h"

/* Changes with every change of struct ota_delta_kept or of what its fields mean. */
static const uint32_t LAYOUT = 0x33544C44;

enum {
    PROFILE_SMALL = 1,
    PROFILE_LARGE = 2,
    SMALL_STATE_MAX = 4096,
};

_Static_assert(sizeof(void *) > 4 ||
                   sizeof(struct ota_delta) - OTA_DELTA_OUT_SIZE + 2 * OTA_DELTA_COUNTERS_SMALL <= SMALL_STATE_MAX,
               "profile 1 keeps its promise; the pointers of larger machines do not count");
_Static_assert(sizeof(struct ota_delta_kept) + 2 * OTA_DELTA_COUNTERS_LARGE + OTA_DELTA_SAVED_CRC_LEN <=
                   OTA_DELTA_SAVED_MAX,
               "a checkpoint of profile 2 fits the record store");
_Static_assert((int)OTA_DELTA_STEP_INPUT_MAX <= (int)OTA_DELTA_LOOKAHEAD_SIZE, "a step finds its input");
_Static_assert((int)OTA_DELTA_HEADER_MAX <= (int)OTA_DELTA_STEP_INPUT_MAX, "the header is one step");
_Static_assert((int)OTA_DELTA_AT_END_SMALL <= (int)OTA_DELTA_COUNTERS_SMALL, "the model fills its counters");
_Static_assert((int)OTA_DELTA_AT_END <= (int)OTA_DELTA_COUNTERS_LARGE, "the model fills its counters");
_Static_assert(-1 >> 1 == -1, "the model shifts negative numbers");

uint32_t ota_delta_counters_of(uint32_t profile) {
    if (profile == PROFILE_SMALL) return OTA_DELTA_COUNTERS_SMALL;
    return profile == PROFILE_LARGE ? OTA_DELTA_COUNTERS_LARGE : UINT32_MAX;
}

void ota_delta_init(struct ota_delta *delta, uint16_t *counters, uint32_t counters_len,
                    const struct ota_delta_base *base) {
    memset(delta, 0, sizeof *delta);
    delta->counters = counters;
    delta->counters_len = counters_len;
    delta->base = *base;
    delta->kept.status = OTA_OK;
    delta->kept.layout = LAYOUT;
}

/* ---- header ---- */

static void begin_model(struct ota_delta *delta) {
    struct ota_delta_kept *kept = &delta->kept;
    ota_delta_model_begin(kept, delta->counters, ota_delta_counters_of(kept->header.profile));
    kept->base_body_len = ota_delta_body_len(&kept->header, &kept->header.base);
    kept->target_body_len = ota_delta_body_len(&kept->header, &kept->header.target);
    kept->checkpoint_due = OTA_DELTA_CHECKPOINT_LEN;
    kept->next_pointer = UINT32_MAX;
}

enum ota_status ota_delta_read_load_base(struct ota_delta *delta) {
    struct ota_delta_header *header = &delta->kept.header;
    bool is_module = header->kind == OTA_DELTA_MODULE_AT_0 || header->kind == OTA_DELTA_MODULE_AT_184;
    uint32_t prefix = header->kind == OTA_DELTA_MODULE_AT_0 ? 0 : OTA_IMAGE_PREFIX_AT;
    uint8_t bytes[4];
    if (OTA_DELTA_ONLY_IMAGES || !is_module || header->base.len == 0) return OTA_OK;
    TRY(delta->port->read_base(delta->port->ctx, prefix, bytes, sizeof bytes));
    header->load_base = ota_load32_le(bytes);
    return OTA_OK;
}

static void step_header(struct ota_delta *delta) {
    struct ota_delta_kept *kept = &delta->kept;
    struct ota_delta_input *input = &kept->input;
    uint32_t header_len;
    delta->kept.status = ota_delta_header_parse(input->bytes + input->pos, ota_delta_input_available(input),
                                                &delta->base, &kept->header, &header_len);
    if (delta->kept.status != OTA_OK) return;
    if (ota_delta_counters_of(kept->header.profile) > delta->counters_len) {
        ota_delta_fail(delta, OTA_ERR_PATCH_PROFILE);
        return;
    }
    input->pos = (uint8_t)(input->pos + header_len);
    delta->kept.status = delta->port->begin(delta->port->ctx, &kept->header);
    if (delta->kept.status == OTA_OK) delta->kept.status = ota_delta_read_load_base(delta);
    begin_model(delta);
    ota_delta_range_start(delta);
    uint32_t count = ota_delta_number(delta, OTA_DELTA_NUMBER_MAP_COUNT, ota_delta_wanted_map_len(delta));
    if (count > OTA_DELTA_MAP_MAX) ota_delta_fail(delta, OTA_ERR_PATCH_RANGE);
    kept->map_count = (uint8_t)count;
    kept->state = OTA_DELTA_STATE_MAP;
}

/* ---- map and table ---- */

static void begin_body(struct ota_delta *delta) {
    ota_delta_copy_reset(delta);
    ota_delta_pointers_begin(delta);
    ota_delta_source_begin(delta);
    ota_delta_find_pointer(delta);
    delta->kept.state = OTA_DELTA_STATE_GAP;
}

static void step_map(struct ota_delta *delta) {
    struct ota_delta_kept *kept = &delta->kept;
    if (kept->map_len < kept->map_count) {
        kept->state = OTA_DELTA_STATE_MAP_SOURCE;
        ota_delta_map_step(delta);
    } else if (ota_delta_is_image(&kept->header)) {
        kept->state = OTA_DELTA_STATE_TABLE;
        ota_delta_table_begin(delta);
    } else {
        begin_body(delta);
    }
}

static void step_map_source(struct ota_delta *delta) {
    delta->kept.state = OTA_DELTA_STATE_MAP;
    ota_delta_map_source_step(delta);
}

static void step_table(struct ota_delta *delta) {
    if (ota_delta_table_step(delta)) begin_body(delta);
}

/* ---- body ---- */

static void step_gap(struct ota_delta *delta) {
    struct ota_delta_kept *kept = &delta->kept;
    uint32_t end = kept->target_body_len;
    if (kept->position == end) {
        kept->state = OTA_DELTA_STATE_COMPLETE;
        return;
    }
    if (kept->next_segment < kept->map_len) end = ota_delta_map_segment(kept, kept->next_segment).target;
    if (kept->position >= end) {
        ota_delta_copy_begin_segment(delta);
        kept->state = OTA_DELTA_STATE_COPY;
    } else if (ota_delta_gap_step(delta, end)) {
        kept->state = OTA_DELTA_STATE_COPY_SOURCE;
    }
}

static void step_copy_source(struct ota_delta *delta) {
    ota_delta_copy_source_step(delta);
    delta->kept.state = OTA_DELTA_STATE_COPY;
}

/* Each chunk of a copy says whether everything in it is as predicted: such chunks need no decisions at all. */
static void begin_chunk(struct ota_delta *delta) {
    struct ota_delta_kept *kept = &delta->kept;
    uint32_t len = ota_min_u32(kept->copy_end - kept->position, OTA_DELTA_CHUNK_LEN);
    uint32_t size = len < 16 ? 0 : len < 64 ? 1 : len < OTA_DELTA_CHUNK_LEN ? 2 : 3;
    uint32_t context = size * 4 + ((uint32_t)kept->chunk >> 1 & 3);
    uint32_t is_clean = ota_delta_bit(delta, OTA_DELTA_AT_CHUNK + context, ota_delta_wanted_clean(delta, len));
    kept->chunk = (uint8_t)((kept->chunk & 2u) << 1 | (is_clean ^ 1) << 1 | is_clean);
    kept->chunk_end = kept->position + len;
}

static void step_copy(struct ota_delta *delta) {
    struct ota_delta_kept *kept = &delta->kept;
    if (kept->position >= kept->chunk_end) begin_chunk(delta);
    ota_delta_unit_step(delta);
    if (kept->position >= kept->copy_end) kept->state = OTA_DELTA_STATE_GAP;
}

static void take_step(struct ota_delta *delta) {
    switch ((enum ota_delta_state)delta->kept.state) {
    case OTA_DELTA_STATE_HEADER:
        step_header(delta);
        break;
    case OTA_DELTA_STATE_MAP:
        step_map(delta);
        break;
    case OTA_DELTA_STATE_MAP_SOURCE:
        step_map_source(delta);
        break;
    case OTA_DELTA_STATE_TABLE:
        step_table(delta);
        break;
    case OTA_DELTA_STATE_GAP:
        step_gap(delta);
        break;
    case OTA_DELTA_STATE_COPY_SOURCE:
        step_copy_source(delta);
        break;
    case OTA_DELTA_STATE_COPY:
        step_copy(delta);
        break;
    case OTA_DELTA_STATE_COMPLETE:
        ota_delta_complete(delta);
        delta->kept.state = OTA_DELTA_STATE_WRITTEN;
        break;
    case OTA_DELTA_STATE_WRITTEN:
    case OTA_DELTA_STATE_FINISHED:
        delta->kept.status = OTA_ERR_STATE;
        break;
    }
}

static void step(struct ota_delta *delta) {
    take_step(delta);
    ota_delta_checkpoint_if_due(delta);
    /* with bytes missing the numbers are wrong too: that cause is the better answer */
    if (ota_delta_input_is_overrun(&delta->kept.input)) delta->kept.status = OTA_ERR_PATCH_TRUNCATED;
}

enum ota_status ota_delta_step(struct ota_delta *delta) {
    step(delta);
    return (enum ota_status)delta->kept.status;
}

/* Steps while the worst case of a step is in the look-ahead, or nothing more will come. */
static void run(struct ota_delta *delta) {
    const struct ota_delta_input *input = &delta->kept.input;
    while (delta->kept.status == OTA_OK) {
        uint32_t available = ota_delta_input_available(input);
        if (delta->kept.state >= OTA_DELTA_STATE_WRITTEN) {
            if (available != 0) delta->kept.status = OTA_ERR_PATCH_TRAILING;
            return;
        }
        if (delta->ended == 0 && available < OTA_DELTA_STEP_INPUT_MAX) return;
        step(delta);
    }
}

static void begin_call(struct ota_delta *delta, const struct ota_delta_port *port) {
    delta->port = port;
    if (!delta->is_resumed) return;
    delta->is_resumed = false;
    ota_delta_pointers_begin(delta);
}

enum ota_status ota_delta_push(struct ota_delta *delta, const struct ota_delta_port *port, const uint8_t *bytes,
                               uint32_t len) {
    begin_call(delta, port);
    while (len > 0 && delta->kept.status == OTA_OK) {
        uint32_t taken = ota_delta_input_fill(&delta->kept.input, bytes, len);
        bytes += taken;
        len -= taken;
        delta->kept.patch_off += taken;
        run(delta);
    }
    return (enum ota_status)delta->kept.status;
}

enum ota_status ota_delta_finish(struct ota_delta *delta, const struct ota_delta_port *port) {
    begin_call(delta, port);
    delta->ended = 1;
    run(delta);
    if (delta->kept.status == OTA_OK) delta->kept.state = OTA_DELTA_STATE_FINISHED;
    return (enum ota_status)delta->kept.status;
}

bool ota_delta_is_done(const struct ota_delta *delta) {
    return delta->kept.status == OTA_OK && delta->kept.state == OTA_DELTA_STATE_FINISHED;
}
