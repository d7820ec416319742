/* SPDX-License-Identifier: Apache-2.0 */
#include "delta_model.h"

#include "delta_mix.h"

enum {
    UNKNOWN = 2048 << 4, /* one half, and nothing seen */
    WEIGHT_UNIT = 1 << (OTA_DELTA_WEIGHT_BITS - 6),
};

static uint16_t initial_counter(uint8_t initial) {
    static const uint8_t SEEN[4] = {1, 3, 6, 9};
    int32_t stretched = 64 * (initial >> 2) - 2016;
    return (uint16_t)(ota_delta_squash(stretched) >> 4 << 4 | SEEN[initial & 3]);
}

void ota_delta_model_begin(struct ota_delta_kept *kept, uint16_t *counters, uint32_t counters_len) {
    for (uint32_t i = 0; i < counters_len; i++) {
        counters[i] = i < OTA_DELTA_INITIALS ? initial_counter(ota_delta_initials[i]) : UNKNOWN;
    }
    for (uint32_t set = 0; set < OTA_DELTA_WEIGHT_SETS; set++) {
        for (uint32_t i = 0; i < OTA_DELTA_HIT_INPUTS; i++) {
            kept->weights[set][i] = (int16_t)(ota_delta_hit_weights[set][i] * WEIGHT_UNIT);
        }
    }
    for (uint32_t set = 0; set < OTA_DELTA_BYTE_WEIGHT_SETS; set++) {
        for (uint32_t i = 0; i < OTA_DELTA_BYTE_INPUTS; i++) {
            kept->byte_weights[set][i] = (int16_t)(ota_delta_byte_weights[set][i] * WEIGHT_UNIT);
        }
    }
}
