/* SPDX-License-Identifier: Apache-2.0 */
#include "delta_encoder.h"

#include <stdlib.h>
#include <string.h>

#include "delta_model.h"
#include "delta_output.h"
#include "delta_plan.h"

/* The mirror of firmware/core/src/range_decoder.c and of the steps in delta.c; the model's page is shared with them. */
struct encoder {
    uint32_t low;
    uint32_t high;
    uint8_t *out;
    uint32_t out_size;
    uint32_t out_len; /* may grow past out_size: then nothing is written, only counted */
    uint16_t counters[OTA_DELTA_COUNTERS];
};

static void put_byte(struct encoder *encoder, uint32_t byte) {
    if (encoder->out_len < encoder->out_size) encoder->out[encoder->out_len] = (uint8_t)byte;
    encoder->out_len++;
}

static void encode_decision(struct encoder *encoder, uint32_t bit, uint32_t chance) {
    uint32_t split = encoder->low + (uint32_t)(((uint64_t)(encoder->high - encoder->low) * chance) >> 16);
    if (bit != 0) {
        encoder->high = split;
    } else {
        encoder->low = split + 1;
    }
    while (((encoder->low ^ encoder->high) >> 24) == 0) {
        put_byte(encoder, encoder->low >> 24);
        encoder->low <<= 8;
        encoder->high = encoder->high << 8 | 0xFF;
    }
}

/* Any value between low and high would do; the decoder reads exactly four bytes. */
static void encode_end(struct encoder *encoder) {
    for (uint32_t i = 0; i < 4; i++) put_byte(encoder, encoder->low >> (24 - 8 * i));
}

static void encode_bit(struct encoder *encoder, uint32_t at, uint32_t bit, uint32_t rate) {
    encode_decision(encoder, bit, encoder->counters[at]);
    encoder->counters[at] = ota_counter_updated(encoder->counters[at], bit, rate);
}

static void encode_tree(struct encoder *encoder, uint32_t at, uint32_t value, uint32_t count, uint32_t rate) {
    uint32_t node = 1;
    for (uint32_t i = count; i-- > 0;) {
        uint32_t bit = value >> i & 1;
        encode_bit(encoder, at + node, bit, rate);
        node = node << 1 | bit;
    }
}

static void encode_number(struct encoder *encoder, enum ota_delta_number kind, uint32_t value) {
    uint32_t bits = 0;
    while ((value + 1) >> (bits + 1) != 0) bits++;
    encode_tree(encoder, ota_delta_number_tree(kind), bits, 5, OTA_DELTA_RATE_OPERATION);
    for (uint32_t i = bits; i-- > 0;) encode_decision(encoder, (value + 1) >> i & 1, OTA_DELTA_CHANCE_EVEN);
}

static void encode_kind(struct encoder *encoder, uint32_t last, uint32_t kind) {
    if (last != OTA_DELTA_OP_LITERAL) {
        uint32_t is_copy = kind != OTA_DELTA_OP_LITERAL ? 1 : 0;
        encode_bit(encoder, OTA_DELTA_AT_IS_COPY + last, is_copy, OTA_DELTA_RATE_OPERATION);
        if (is_copy == 0) return;
    }
    uint32_t is_target = kind == OTA_DELTA_OP_TARGET ? 1 : 0;
    encode_bit(encoder, OTA_DELTA_AT_IS_TARGET + last, is_target, OTA_DELTA_RATE_OPERATION);
}

static void encode_byte(struct encoder *encoder, uint32_t tree, uint32_t byte) {
    encode_tree(encoder, tree, byte, 8, OTA_DELTA_RATE_TREE);
}

static void encode_literals(struct encoder *encoder, const struct muster_pair *pair,
                            const struct muster_operation *run) {
    encode_number(encoder, OTA_DELTA_NUMBER_LITERAL_LEN, run->len - 1);
    for (uint32_t position = run->position; position < run->position + run->len; position++) {
        if (pair->is_derived[position] != 0) continue;
        uint32_t off = ota_delta_offset(pair->header, position);
        encode_byte(encoder, ota_delta_literal_tree(off), pair->target[position]);
    }
}

/* What outlives one base copy: see struct ota_delta. */
struct copy_state {
    uint32_t alignment;
    uint32_t hit_history;
    uint32_t hit_run;
};

static void encode_base_copy(struct encoder *encoder, const struct muster_pair *pair,
                             const struct muster_operation *copy, struct copy_state *state) {
    uint32_t off = ota_delta_offset(pair->header, copy->position);
    uint32_t shift = copy->source - off - state->alignment;
    state->alignment += shift;
    encode_number(encoder, OTA_DELTA_NUMBER_BASE_LEN, copy->len - 1);
    encode_number(encoder, OTA_DELTA_NUMBER_SHIFT, (shift & 0x80000000u) != 0 ? (~shift << 1 | 1) : shift << 1);

    for (uint32_t i = 0; i < copy->len; i++) {
        if (pair->is_derived[copy->position + i] != 0) continue;
        uint32_t difference = (uint32_t)(pair->target[copy->position + i] - pair->base[copy->source + i]) & 0xFF;
        uint32_t hit = difference == 0 ? 1 : 0;
        encode_bit(encoder, ota_delta_hit_counter(state->hit_history, state->hit_run), hit, OTA_DELTA_RATE_HIT);
        state->hit_history = state->hit_history << 1 | hit;
        state->hit_run = hit != 0 ? state->hit_run + 1 : 0;
        if (hit == 0) encode_byte(encoder, ota_delta_difference_tree(off + i), difference);
    }
}

static void encode_target_copy(struct encoder *encoder, const struct muster_operation *copy) {
    encode_number(encoder, OTA_DELTA_NUMBER_TARGET_LEN, copy->len - 1);
    encode_number(encoder, OTA_DELTA_NUMBER_DISTANCE, copy->position - copy->source - 1);
}

static void encode_plan(struct encoder *encoder, const struct muster_pair *pair,
                        const struct muster_operation *operations, int64_t count) {
    const struct ota_delta_header *header = pair->header;
    struct copy_state state = {0, UINT32_MAX, 0};
    uint32_t last = OTA_DELTA_OP_NONE;
    uint32_t part_end = 0;
    for (int64_t i = 0; i < count; i++) {
        const struct muster_operation *operation = &operations[i];
        if (i == 0 || operation->position == part_end) {
            uint32_t part = OTA_DELTA_PART_TABLE;
            while (ota_delta_part_end(header, part) <= operation->position) part++;
            part_end = ota_delta_part_end(header, part);
            state.alignment = ota_delta_part_alignment(header, part);
            last = OTA_DELTA_OP_NONE;
        }
        encode_kind(encoder, last, operation->kind);
        if (operation->kind == OTA_DELTA_OP_LITERAL) encode_literals(encoder, pair, operation);
        if (operation->kind == OTA_DELTA_OP_BASE) encode_base_copy(encoder, pair, operation, &state);
        if (operation->kind == OTA_DELTA_OP_TARGET) encode_target_copy(encoder, operation);
        last = operation->kind;
    }
}

/* Whether the decoder recomputes the byte: docs/spec/patch.md section 3. Differences below a field wrap: large. */
static bool is_derived(const struct ota_delta_header *header, uint32_t off) {
    if (header->kind != OTA_DELTA_IMAGE) return false;
    if (off - OTA_DELTA_MODULE_END_OFF < OTA_DELTA_MODULE_END_LEN) return true;
    if (off - (header->target_ext_start + header->body_hash_off) < OTA_SHA256_LEN) return true;
    if (off - (header->target_len - OTA_DELTA_MODULE_SHA_FROM_END) < OTA_SHA256_LEN) return true;
    return off - (header->target_len - OTA_DELTA_CRC_FROM_END) < OTA_DELTA_CRC_LEN;
}

/* Puts the target's bytes into output order. */
static void arrange(const struct ota_delta_header *header, const uint8_t *target, uint8_t *arranged, uint8_t *derived) {
    for (uint32_t position = 0; position < header->target_len; position++) {
        uint32_t off = ota_delta_offset(header, position);
        arranged[position] = target[off];
        derived[position] = is_derived(header, off) ? 1 : 0;
    }
}

enum ota_status muster_delta_encode(const struct ota_delta_header *header, const uint8_t *base, const uint8_t *target,
                                    uint8_t *out, uint32_t out_size, uint32_t *out_len) {
    size_t len = (size_t)header->target_len + 1;
    enum ota_status status = OTA_ERR_BUFFER;
    uint8_t *arranged = malloc(len);
    uint8_t *derived = malloc(len);
    struct muster_operation *operations = malloc(len * sizeof *operations);
    struct encoder *encoder = calloc(1, sizeof *encoder);
    if (arranged != NULL && derived != NULL && operations != NULL && encoder != NULL) {
        arrange(header, target, arranged, derived);
        struct muster_pair pair = {header, base, arranged, derived};
        int64_t count = muster_delta_plan(&pair, operations);
        encoder->high = UINT32_MAX;
        encoder->out = out;
        encoder->out_size = out_size;
        ota_delta_model_init(encoder->counters);
        if (count >= 0) encode_plan(encoder, &pair, operations, count);
        encode_end(encoder);
        *out_len = encoder->out_len;
        if (count >= 0 && encoder->out_len <= out_size) status = OTA_OK;
    }
    free(arranged);
    free(derived);
    free(operations);
    free(encoder);
    return status;
}
