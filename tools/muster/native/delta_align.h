/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MUSTER_DELTA_ALIGN_H
#define MUSTER_DELTA_ALIGN_H

#include "delta_expectation.h"
#include "delta_places.h"
#include "delta_substitutions.h"
#include "delta_segments.h"
#include "delta_text.h"

/* The cheapest way to make the target from copies and literals, by dynamic programming over its positions: at each one,
 * the copies that may still turn out best are carried on together, each with what it cost so far. */
struct muster_aligner_input {
    const struct muster_text *text;
    const struct muster_costs *costs;
    struct muster_places *normal_places; /* the target's places are forgotten and added anew */
    struct muster_places *raw_places;
    const struct muster_substitutions *substitutions; /* what an earlier alignment taught, or NULL */
    const struct muster_expectation *expectation;     /* what its map makes of references, or NULL */
};

/* The caller frees `*segments`. False when memory is short; nothing is to be freed then. */
bool muster_align(const struct muster_aligner_input *input, struct muster_segment **segments, uint32_t *count);

#endif
