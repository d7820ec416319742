/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MUSTER_DELTA_COSTS_H
#define MUSTER_DELTA_COSTS_H

#include "delta_segments.h"

/* What the coder will probably pay, by its own tables; integers only, so that every machine makes the same patch. */
struct muster_delta_costs {
    uint16_t literal_high[256][256]; /* [high byte before][high byte] */
    uint16_t literal_low[256][256];  /* [high byte][low byte] */
    uint16_t miss_high[256][256];    /* [expected][high byte] */
    uint16_t miss_low[32][256][256]; /* [high byte / 8][expected][low byte] */
};

/* Fills the tables (5 MB), and `costs` with functions that read them. */
void muster_delta_costs_init(struct muster_delta_costs *tables, struct muster_costs *costs, enum muster_parse parse);

#endif
