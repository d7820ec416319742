/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DELTA_TRAINING_REPLAY_H
#define DELTA_TRAINING_REPLAY_H

#include <stddef.h>

#include "delta_mix.h"
#include "tables.h"

/* A recorded patch. */
struct train_trace {
    const uint32_t *words;
    size_t len;
    double weight;       /* of each of its bits, in what is made small */
    double bytes_weight; /* the same, for the tables of bytes */
};

/* What coding a trace again brings to light. Sums of weight times... */
struct train_sums {
    double cost;                 /* bits */
    double slope[TRAIN_ENTRIES]; /* share of the prediction in the error */
    double bend[TRAIN_ENTRIES];  /* how fast that changes */
    double last_weights[OTA_DELTA_WEIGHT_SETS]
                       [OTA_DELTA_MIX_INPUTS]; /* weights at the end, by how often they were used */
    double uses[OTA_DELTA_WEIGHT_SETS];
};

/* Codes a trace with the coder's tables as they are; adds to `sums`. `entry_of`: train_tables_entries(). Entries'
 * values are `values`, in sixteenths. Returns bits. */
double train_replay(const struct train_trace *trace, const uint16_t *entry_of, const double *values,
                    struct train_sums *sums);

#endif
