/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OTA_DELTA_BITS_H
#define OTA_DELTA_BITS_H

#include "delta_mix.h"
#include "delta_model.h"
#include "ota/delta.h"

/* Decisions and numbers of the model: docs/spec/patch.md section 5. Each returns what the patch says; an encoder's
 * `wanted` comes back unchanged when it was possible. */

/* Behind the inline functions: in a decoder nothing is wanted, and nothing is handed on. */
uint32_t ota_delta_read_bit(struct ota_delta *delta, uint32_t counter);
uint32_t ota_delta_write_bit(struct ota_delta *delta, uint32_t counter, uint32_t wanted);
uint32_t ota_delta_read_number(struct ota_delta *delta, enum ota_delta_number kind);
uint32_t ota_delta_write_number(struct ota_delta *delta, enum ota_delta_number kind, uint32_t wanted);
uint32_t ota_delta_take_mixed(struct ota_delta *delta, const struct ota_delta_mix *mix, int16_t *weights,
                              uint32_t wanted);

/* ota_delta_counter_update(), where it need not be fast. */
void ota_delta_counter_move(uint16_t *counter, uint32_t bit, uint32_t seen_max);

/* `value` with `count` bits behind it, each as likely 0 as 1. */
uint32_t ota_delta_even(struct ota_delta *delta, uint32_t value, uint32_t count, uint32_t wanted);

/* One decision by a counter of its own. */
static inline uint32_t ota_delta_bit(struct ota_delta *delta, uint32_t counter, uint32_t wanted) {
    return OTA_DELTA_ENCODES ? ota_delta_write_bit(delta, counter, wanted) : ota_delta_read_bit(delta, counter);
}

/* A number from 0 to 2^23 - 2: how many bits, then they. */
static inline uint32_t ota_delta_number(struct ota_delta *delta, enum ota_delta_number kind, uint32_t wanted) {
    return OTA_DELTA_ENCODES ? ota_delta_write_number(delta, kind, wanted) : ota_delta_read_number(delta, kind);
}

/* A signed number modulo 2^32, in zigzag order. */
static inline uint32_t ota_delta_signed(struct ota_delta *delta, enum ota_delta_number kind, uint32_t wanted) {
    uint32_t zigzag = ota_delta_number(delta, kind, wanted << 1 ^ (0 - (wanted >> 31)));
    return zigzag >> 1 ^ (0 - (zigzag & 1));
}

/* One mixed decision; counters and weights follow the outcome. */
static inline uint32_t ota_delta_mixed(struct ota_delta *delta, const struct ota_delta_mix *mix, int16_t *weights,
                                       uint32_t wanted) {
    return ota_delta_take_mixed(delta, mix, weights, OTA_DELTA_ENCODES ? wanted : 0);
}

#endif
