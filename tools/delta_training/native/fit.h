/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DELTA_TRAINING_FIT_H
#define DELTA_TRAINING_FIT_H

#include "replay.h"

/* Chooses tables that make the weighted sum of all traces' bits small. The order of traces, and nothing else, decides
 * how sums are rounded: the same traces give the same tables. */
struct train_fit {
    const struct train_trace *traces;
    uint32_t count;
    struct train_tables *tables;
};

/* What counters begin with. Each stands alone. */
void train_fit_counters(const struct train_fit *fit);

/* Known hits and known bits by counting; groups and predictions of the tables of bytes likewise. */
void train_fit_known(const struct train_fit *fit);
void train_fit_groups(const struct train_fit *fit);

/* Moves predictions of bytes and the weights down the slope of the whole coder's cost, `epochs` times. Returns the cost
 * before the last step. */
double train_fit_descend(const struct train_fit *fit, uint32_t epochs);

#endif
