/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OTA_DELTA_MODEL_H
#define OTA_DELTA_MODEL_H

#include <stdint.h>

/* The model of docs/spec/patch.md section 5: which counter predicts which decision. Decoder and encoder both include
 * this page, so that they cannot differ. A counter is the chance of a 1 in 65,536ths. */

enum ota_delta_operation {
    OTA_DELTA_OP_NONE = 0, /* a part begins */
    OTA_DELTA_OP_LITERAL = 1,
    OTA_DELTA_OP_BASE = 2,
    OTA_DELTA_OP_TARGET = 3,
};

enum ota_delta_number {
    OTA_DELTA_NUMBER_LITERAL_LEN = 0,
    OTA_DELTA_NUMBER_BASE_LEN = 1,
    OTA_DELTA_NUMBER_TARGET_LEN = 2,
    OTA_DELTA_NUMBER_SHIFT = 3,
    OTA_DELTA_NUMBER_DISTANCE = 4,
    OTA_DELTA_NUMBERS = 5,
};

enum {
    OTA_DELTA_NUMBER_BITS_MAX = 24, /* of a number's mantissa */
    OTA_DELTA_HIT_CONTEXTS = 264,
    OTA_DELTA_DIFFERENCE_CONTEXTS = 2,
    OTA_DELTA_LITERAL_CONTEXTS = 2,

    /* first counters */
    OTA_DELTA_AT_IS_COPY = 0,
    OTA_DELTA_AT_IS_TARGET = OTA_DELTA_AT_IS_COPY + 4,
    OTA_DELTA_AT_NUMBER = OTA_DELTA_AT_IS_TARGET + 4,
    OTA_DELTA_AT_HIT = OTA_DELTA_AT_NUMBER + OTA_DELTA_NUMBERS * 32,
    OTA_DELTA_AT_DIFFERENCE = OTA_DELTA_AT_HIT + OTA_DELTA_HIT_CONTEXTS,
    OTA_DELTA_AT_LITERAL = OTA_DELTA_AT_DIFFERENCE + OTA_DELTA_DIFFERENCE_CONTEXTS * 256,
    OTA_DELTA_AT_END = OTA_DELTA_AT_LITERAL + OTA_DELTA_LITERAL_CONTEXTS * 256,

    OTA_DELTA_RATE_HIT = 5,
    OTA_DELTA_RATE_TREE = 4,
    OTA_DELTA_RATE_OPERATION = 4,

    OTA_DELTA_CHANCE_EVEN = 0x8000,
    OTA_DELTA_CHANCE_HIT = 0xF800,
};

/* Moves a counter towards the bit it has just seen; it never reaches 0 or 65,536. */
static inline uint16_t ota_counter_updated(uint16_t counter, uint32_t bit, uint32_t rate) {
    uint32_t chance = counter;
    if (bit != 0) {
        chance += (0xFFFF - chance) >> rate;
    } else {
        chance -= chance >> rate;
    }
    return (uint16_t)chance;
}

static inline void ota_delta_model_init(uint16_t *counters) {
    for (uint32_t i = 0; i < OTA_DELTA_AT_END; i++) counters[i] = OTA_DELTA_CHANCE_EVEN;
    for (uint32_t i = 0; i < OTA_DELTA_HIT_CONTEXTS; i++) counters[OTA_DELTA_AT_HIT + i] = OTA_DELTA_CHANCE_HIT;
}

/* `history`: bit n is whether the byte n + 1 before was as predicted; `run`: how many were since the last miss. */
static inline uint32_t ota_delta_hit_counter(uint32_t history, uint32_t run) {
    uint32_t recent = history & 0xFF;
    if (recent != 0xFF) return OTA_DELTA_AT_HIT + recent;
    uint32_t bucket = 0;
    while (bucket < 7 && (run >> (bucket + 4)) != 0) bucket++;
    return OTA_DELTA_AT_HIT + 256 + bucket;
}

static inline uint32_t ota_delta_difference_tree(uint32_t target_off) {
    return OTA_DELTA_AT_DIFFERENCE + (target_off & 1) * 256;
}

static inline uint32_t ota_delta_literal_tree(uint32_t target_off) {
    return OTA_DELTA_AT_LITERAL + (target_off & 1) * 256;
}

static inline uint32_t ota_delta_number_tree(enum ota_delta_number number) {
    return OTA_DELTA_AT_NUMBER + (uint32_t)number * 32;
}

#endif
