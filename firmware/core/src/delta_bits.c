/* SPDX-License-Identifier: Apache-2.0 */
#include "delta_bits.h"

enum {
    NUMBER_BITS_MAX = 22,
    EVEN = 0x8000,
};

static inline uint32_t squash(int32_t stretched) {
    if (stretched > OTA_DELTA_STRETCHED_MAX) stretched = OTA_DELTA_STRETCHED_MAX;
    if (stretched < -OTA_DELTA_STRETCHED_MAX) stretched = -OTA_DELTA_STRETCHED_MAX;
    uint32_t x = (uint32_t)(stretched + 2048);
    uint32_t below = ota_delta_squashes[x >> 6], above = ota_delta_squashes[(x >> 6) + 1];
    return below + ((above - below) * (x & 63) >> 6);
}

uint32_t ota_delta_squash(int32_t stretched) { return squash(stretched); }

static inline uint32_t take_bit(struct ota_delta *delta, uint32_t counter, uint32_t wanted) {
    uint16_t *at = &delta->counters[counter];
    uint32_t bit = ota_delta_decide(delta, ota_delta_counter_chance(at) << 4 | 8, wanted);
    ota_delta_counter_update(at, bit, OTA_DELTA_BIT_SEEN_MAX);
    return bit;
}

uint32_t ota_delta_read_bit(struct ota_delta *delta, uint32_t counter) { return take_bit(delta, counter, 0); }

uint32_t ota_delta_write_bit(struct ota_delta *delta, uint32_t counter, uint32_t wanted) {
    return take_bit(delta, counter, wanted);
}

static uint32_t bit_count(uint32_t value) {
    uint32_t bits = 0;
    while (value > 1) {
        value >>= 1;
        bits++;
    }
    return bits;
}

static inline uint32_t take_number(struct ota_delta *delta, enum ota_delta_number kind, uint32_t wanted) {
    uint32_t first = OTA_DELTA_AT_NUMBER + (uint32_t)kind * OTA_DELTA_NUMBER_COUNTERS;
    uint32_t wanted_bits = OTA_DELTA_ENCODES ? bit_count(wanted + 1) : 0, bits = 0;
    while (bits < NUMBER_BITS_MAX) {
        uint32_t step = bits < OTA_DELTA_NUMBER_COUNTERS ? bits : OTA_DELTA_NUMBER_COUNTERS - 1;
        if (ota_delta_bit(delta, first + step, wanted_bits > bits) == 0) break;
        bits++;
    }
    uint32_t value = 1;
    for (uint32_t left = bits; left > 0; left--) {
        /* the bit below the highest one leans to a side that depends on the kind; the others are even */
        const uint8_t *lean = &ota_delta_leans[kind][bits < OTA_DELTA_LEANS ? bits : OTA_DELTA_LEANS - 1];
        uint32_t chance = left == bits ? ota_delta_lean_chance(lean) : EVEN;
        value = value << 1 | ota_delta_decide(delta, chance, (wanted + 1) >> (left - 1) & 1);
    }
    return value - 1;
}

uint32_t ota_delta_read_number(struct ota_delta *delta, enum ota_delta_number kind) {
    return take_number(delta, kind, 0);
}

uint32_t ota_delta_write_number(struct ota_delta *delta, enum ota_delta_number kind, uint32_t wanted) {
    return take_number(delta, kind, wanted);
}

static int32_t stretched_counter(const void *counter) { return ota_delta_stretch(ota_delta_counter_chance(counter)); }

static int32_t stretched_known(const void *known) { return 16 * *(const int8_t *)known; }

static void move_weight(int16_t *weight, int32_t stretched, int32_t error) {
    int32_t step = (stretched * error + (1 << (OTA_DELTA_WEIGHT_RATE - 1))) >> OTA_DELTA_WEIGHT_RATE;
    int32_t moved = *weight + step;
    int16_t narrow = (int16_t)moved;
    *weight = narrow == moved ? narrow : moved < 0 ? INT16_MIN : INT16_MAX;
}

/* The counters among the inputs are the decoder's own: only `inputs` does not say that they may be written. */
static uint16_t *counter_at(const struct ota_delta_mix *mix, uint32_t index) {
    return (uint16_t *)(uintptr_t)mix->inputs[index];
}

uint32_t ota_delta_take_mixed(struct ota_delta *delta, const struct ota_delta_mix *mix, int16_t *weights,
                              uint32_t seen_max, uint32_t wanted) {
    /* written out for speed: of four inputs two are always counters, and the last one is a prediction */
    bool is_third_counter = (mix->known & 4) == 0;
    int32_t first = stretched_counter(mix->inputs[0]), second = stretched_counter(mix->inputs[1]);
    int32_t third = is_third_counter ? stretched_counter(mix->inputs[2]) : stretched_known(mix->inputs[2]);
    int32_t fourth = stretched_known(mix->inputs[3]);
    int32_t sum = weights[0] * first + weights[1] * second + weights[2] * third + weights[3] * fourth;
    uint32_t chance = squash(sum >> OTA_DELTA_WEIGHT_BITS);
    uint32_t bit = ota_delta_decide(delta, chance, wanted);

    int32_t error = ((int32_t)(bit << 16) - (int32_t)chance) >> 2;
    move_weight(&weights[0], first, error);
    move_weight(&weights[1], second, error);
    move_weight(&weights[2], third, error);
    move_weight(&weights[3], fourth, error);
    ota_delta_counter_update(counter_at(mix, 0), bit, seen_max);
    ota_delta_counter_update(counter_at(mix, 1), bit, seen_max);
    if (is_third_counter) ota_delta_counter_update(counter_at(mix, 2), bit, seen_max);
    return bit;
}
