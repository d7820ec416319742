/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OTA_DELTA_RANGE_H
#define OTA_DELTA_RANGE_H

#include "delta_direction.h"
#include "ota/delta.h"

/* Binary range coder, 32 bits, integers only: docs/spec/patch.md section 4.
 *
 * The model is one source for both directions. It tells each decision what it wants to come out. The decoder (range
 * decoder, delta_range.c) does not look at what is wanted and returns what the patch says; the encoder links its own
 * implementation of this header, which writes what is wanted and returns it. */

enum { OTA_DELTA_RANGE_MIN = 1 << 24 }; /* a smaller size takes in a byte */

/* The part of the interval that a 0 has: its lower end. What is lost in rounding, the 1 has. */
static inline uint32_t ota_delta_range_zero(const struct ota_delta_range *range, uint32_t chance) {
    return (range->size >> 16) * (65536 - chance);
}

/* Takes in the first bytes of the stream. */
void ota_delta_range_start(struct ota_delta *delta);

uint32_t ota_delta_range_read(struct ota_delta *delta, uint32_t chance);
uint32_t ota_delta_range_write(struct ota_delta *delta, uint32_t chance, uint32_t wanted);

/* One decision; `chance` of a 1 in 65,536ths, 1 to 65,535. */
static inline uint32_t ota_delta_decide(struct ota_delta *delta, uint32_t chance, uint32_t wanted) {
    return OTA_DELTA_ENCODES ? ota_delta_range_write(delta, chance, wanted) : ota_delta_range_read(delta, chance);
}

#endif
