/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OTA_DELTA_MIX_H
#define OTA_DELTA_MIX_H

#include "delta_counter.h"
#include "delta_range.h"
#include "delta_tables.h"

/* Logistic mixing: docs/spec/patch.md section 5. The inputs of one decision, in the logistic domain (16ths), are
 * weighed, added up and made a chance; then each counter that took part moves, and so do the weights. The idea is
 * Mahoney's (PAQ); everything is integers. */

enum {
    OTA_DELTA_WEIGHT_BITS = 14,                      /* of a weight's fraction */
    OTA_DELTA_SUM_SHIFT = OTA_DELTA_WEIGHT_BITS - 4, /* from weighed 16ths to 256ths */
};

/* Two counters, which learn here, and two predictions, which do not: trained ones, or what another counter says. */
struct ota_delta_mix {
    uint16_t *counters[2];
    const int8_t *known[2];
};

/* Twelve bits of chance to the logistic domain, in 16ths. */
static inline int32_t ota_delta_stretch(uint32_t chance) { return ota_delta_stretches[chance >> 1]; }

/* The logistic domain, in 256ths, to a chance in 65,536ths. Written so that a Cortex-M3 limits it by one SSAT. */
static inline uint32_t ota_delta_squash(int32_t stretched) {
    int32_t step = stretched >> 3, below = step < 255 ? step : 255, within = below > -256 ? below : -256;
    return (ota_delta_squashes + 256)[within];
}

#endif
