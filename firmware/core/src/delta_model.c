/* SPDX-License-Identifier: Apache-2.0 */
#include "delta_model.h"

#include "delta_mix.h"

enum {
    UNKNOWN = 2048 << 4, /* one half, and nothing seen */
    WEIGHT_UNIT = 1 << (OTA_DELTA_WEIGHT_BITS - 6),
};

static uint16_t initial_counter(uint8_t initial) {
    uint32_t chance = ota_delta_squashes[8 * (initial >> 2) + 4], seen = 3 * (initial & 3u);
    return (uint16_t)((chance & ~15u) | seen);
}

void ota_delta_model_begin(struct ota_delta_kept *kept, uint16_t *counters, uint32_t counters_len) {
    for (uint32_t i = 0; i < counters_len; i++) {
        counters[i] = i < OTA_DELTA_INITIALS ? initial_counter(ota_delta_initials[i]) : UNKNOWN;
    }
    for (uint32_t set = 0; set < OTA_DELTA_WEIGHT_SETS; set++) {
        for (uint32_t i = 0; i < OTA_DELTA_MIX_INPUTS; i++) {
            kept->weights[set][i] = (int16_t)(ota_delta_weights[set][i] * WEIGHT_UNIT);
        }
    }
}
