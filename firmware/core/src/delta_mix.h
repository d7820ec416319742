/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OTA_DELTA_MIX_H
#define OTA_DELTA_MIX_H

#include "delta_counter.h"
#include "delta_range.h"
#include "delta_tables.h"

/* Logistic mixing: docs/spec/patch.md section 5. The inputs of one decision, in the logistic domain (256ths), are
 * weighed, added up and made a chance; then each counter that took part moves, and where weights adapt, they do. The
 * idea is Mahoney's (PAQ); everything is integers. */

enum {
    OTA_DELTA_MIX_MAX = 4,      /* two or three counters, then predictions */
    OTA_DELTA_WEIGHT_BITS = 14, /* of a weight's fraction */
    OTA_DELTA_STRETCHED_MAX = 2047,
};

struct ota_delta_mix {
    uint32_t count;
    uint32_t known; /* bit i: input i is a trained prediction, which does not learn; else it is a counter */
    const void *inputs[OTA_DELTA_MIX_MAX];
};

/* Twelve bits of chance to the logistic domain; odd about one half. */
static inline int32_t ota_delta_stretch(uint32_t chance) {
    uint32_t above = 0 - (chance >> 11); /* all ones from one half on */
    uint32_t distance = (chance ^ above) & 4095;
    int32_t stretched = ota_delta_stretches[distance < 256 ? distance : 240 + (distance >> 4)];
    return above != 0 ? stretched : -stretched;
}

/* The logistic domain to a chance in 65,536ths. */
uint32_t ota_delta_squash(int32_t stretched);

static inline void ota_delta_mix_begin(struct ota_delta_mix *mix) {
    mix->count = 0;
    mix->known = 0;
}

static inline void ota_delta_mix_counter(struct ota_delta_mix *mix, const uint16_t *counter) {
    mix->inputs[mix->count++] = counter;
}

/* In sixteenths of the logistic domain's unit. */
static inline void ota_delta_mix_known(struct ota_delta_mix *mix, const int8_t *known) {
    mix->known |= 1u << mix->count;
    mix->inputs[mix->count++] = known;
}

#endif
