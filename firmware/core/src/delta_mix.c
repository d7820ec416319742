/* SPDX-License-Identifier: Apache-2.0 */
#include "delta_mix.h"

#include "delta_model.h"

static int32_t stretched(const uint16_t *counter) { return ota_delta_stretch(ota_delta_counter_chance(counter)); }

/* Within 16 bits. The compiler finds the instruction in the lines below only where they stand alone. */
static int16_t limited(int32_t value) {
#ifdef __ARM_FEATURE_SAT
    return (int16_t)__builtin_arm_ssat(value, 16);
#else
    int32_t below = value < INT16_MAX ? value : INT16_MAX;
    return (int16_t)(below > INT16_MIN ? below : INT16_MIN);
#endif
}

static void move_weight(int16_t *weight, int32_t stretched, int32_t error) {
    *weight = limited(*weight + (stretched * error >> OTA_DELTA_WEIGHT_RATE));
}

uint32_t ota_delta_take_mixed(struct ota_delta *delta, const struct ota_delta_mix *mix, int16_t *weights,
                              uint32_t wanted) {
    /* written out for speed */
    int32_t first = stretched(mix->counters[0]), second = stretched(mix->counters[1]);
    int32_t third = *mix->known[0], fourth = *mix->known[1];
    int32_t sum = weights[0] * first + weights[1] * second + weights[2] * third + weights[3] * fourth;
    uint32_t chance = ota_delta_squash(sum >> OTA_DELTA_SUM_SHIFT);
    uint32_t bit = ota_delta_decide(delta, chance, wanted);

    int32_t error = (int32_t)(bit << 16) - (int32_t)chance;
    move_weight(&weights[0], first, error);
    move_weight(&weights[1], second, error);
    move_weight(&weights[2], third, error);
    move_weight(&weights[3], fourth, error);
    ota_delta_counter_update(mix->counters[0], bit, OTA_DELTA_MIXED_SEEN_MAX);
    ota_delta_counter_update(mix->counters[1], bit, OTA_DELTA_MIXED_SEEN_MAX);
    return bit;
}
