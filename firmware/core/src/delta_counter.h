/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OTA_DELTA_COUNTER_H
#define OTA_DELTA_COUNTER_H

#include <stdint.h>

#include "delta_tables.h"

/* A counter estimates how often a decision is 1: twelve bits of chance, and in the low four bits how much it has seen,
 * which says how fast it still moves. */

static inline uint32_t ota_delta_counter_chance(const uint16_t *counter) { return *counter >> 4u; }

/* `seen_max`: the counter's speed falls until it has seen this much. */
static inline void ota_delta_counter_update(uint16_t *counter, uint32_t bit, uint32_t seen_max) {
    /* towards 1 is towards 0 with all bits turned round */
    uint32_t mirror = (0 - bit) & 0xFFFF, seen = *counter & 15u, far = *counter ^ mirror;
    uint32_t moved = (far - (far >> ota_delta_rates[seen] << 4)) ^ mirror;
    *counter = (uint16_t)(moved + (seen < seen_max ? 1 : 0));
}

#endif
