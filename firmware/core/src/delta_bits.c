/* SPDX-License-Identifier: Apache-2.0 */
#include "delta_bits.h"

enum {
    NUMBER_BITS_MAX = 22,
    EVEN = 0x8000,
};

void ota_delta_counter_move(uint16_t *counter, uint32_t bit, uint32_t seen_max) {
    ota_delta_counter_update(counter, bit, seen_max);
}

static inline uint32_t take_bit(struct ota_delta *delta, uint32_t counter, uint32_t wanted) {
    uint16_t *at = &delta->counters[counter];
    uint32_t bit = ota_delta_decide(delta, ota_delta_counter_chance(at) << 4 | 8, wanted);
    ota_delta_counter_move(at, bit, OTA_DELTA_BIT_SEEN_MAX);
    return bit;
}

uint32_t ota_delta_read_bit(struct ota_delta *delta, uint32_t counter) { return take_bit(delta, counter, 0); }

uint32_t ota_delta_write_bit(struct ota_delta *delta, uint32_t counter, uint32_t wanted) {
    return take_bit(delta, counter, wanted);
}

uint32_t ota_delta_even(struct ota_delta *delta, uint32_t value, uint32_t count, uint32_t wanted) {
    while (count-- > 0) value = value << 1 | ota_delta_decide(delta, EVEN, wanted >> count & 1);
    return value;
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
    return ota_delta_even(delta, 1, bits, wanted + 1) - 1;
}

uint32_t ota_delta_read_number(struct ota_delta *delta, enum ota_delta_number kind) {
    return take_number(delta, kind, 0);
}

uint32_t ota_delta_write_number(struct ota_delta *delta, enum ota_delta_number kind, uint32_t wanted) {
    return take_number(delta, kind, wanted);
}
