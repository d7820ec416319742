/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MUSTER_DELTA_SUBSTITUTIONS_H
#define MUSTER_DELTA_SUBSTITUTIONS_H

#include "delta_text.h"

enum { MUSTER_SUBSTITUTIONS_BITS = 17 };

/* How often an alignment replaces one halfword by another, and one reference by another: the coder remembers some of
 * these. Counts are by hash, so they may be too high; they steer costs only. */
struct muster_substitutions {
    uint8_t halfword[1 << MUSTER_SUBSTITUTIONS_BITS];
    uint8_t reference[1 << MUSTER_SUBSTITUTIONS_BITS];
};

static inline uint32_t muster_substitutions_slot(uint32_t from, uint32_t to) {
    uint32_t key = (from * 0x9E3779B1u) ^ (to * 0x85EBCA6Bu);
    return (key * 0xC2B2AE35u) >> (32 - MUSTER_SUBSTITUTIONS_BITS);
}

/* Counts what these segments replace. */
void muster_substitutions_count(struct muster_substitutions *substitutions, const struct muster_text *text,
                                const struct muster_segment *segments, uint32_t count);

#endif
