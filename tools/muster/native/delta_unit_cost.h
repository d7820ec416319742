/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MUSTER_DELTA_UNIT_COST_H
#define MUSTER_DELTA_UNIT_COST_H

#include "delta_align.h"

/* What it costs to make the halfword at `position`, an even one, by a copy with this shift. The source must be readable
 * and a reference be paid for at its first halfword. */
uint32_t muster_unit_cost(const struct muster_aligner_input *input, const struct muster_learned *learned,
                          uint32_t position, int32_t shift);

/* The copy was made: the coder learns from it. */
void muster_unit_learn(const struct muster_aligner_input *input, struct muster_learned *learned, uint32_t position,
                       int32_t shift);

#endif
