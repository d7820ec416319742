/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fit.h"

/* Strength with which a prediction holds on to what counting found, in decisions of mean weight. */
static const double HOLD = 2 * 0.04;
static const double STEP_MAX = 1.5; /* in the logistic domain's unit */
static const double SPEED = 0.6;

enum { WORKERS = 2 };

/* Half of the traces in a process of its own; the sums are added in a fixed order. */
static void replay_all(const struct train_fit *fit, const uint16_t *entry_of, const double *values,
                       struct train_sums *sums) {
    pid_t child[WORKERS];
    memset(sums, 0, WORKERS * sizeof *sums);
    for (uint32_t worker = 0; worker < WORKERS; worker++) {
        child[worker] = fork();
        if (child[worker] < 0) abort();
        if (child[worker] > 0) continue;
        for (uint32_t i = worker; i < fit->count; i += WORKERS) {
            (void)train_replay(&fit->traces[i], entry_of, values, &sums[worker]);
        }
        _exit(0);
    }
    for (uint32_t worker = 0; worker < WORKERS; worker++) {
        int status;
        if (waitpid(child[worker], &status, 0) < 0 || status != 0) abort();
    }
    const double *from = (const double *)&sums[1];
    double *to = (double *)&sums[0];
    for (size_t i = 0; i < sizeof *sums / sizeof(double); i++) to[i] += from[i];
}

/* Weights of bytes begin as they ended. Those of hits stay: in a short patch few decisions are enough to know better,
 * and what they end with is too sure of itself for a beginning. */
static void move_weights(struct train_tables *tables, const struct train_sums *sums) {
    for (uint32_t set = OTA_DELTA_HIT_SETS; set < OTA_DELTA_WEIGHT_SETS; set++) {
        double uses = sums->uses[set];
        for (uint32_t i = 0; uses != 0 && i < OTA_DELTA_MIX_INPUTS; i++) {
            double weight = floor(64 * sums->last_weights[set][i] / uses + 0.5);
            tables->weights[set][i] = (int8_t)(weight > 127 ? 127 : weight < -127 ? -127 : weight);
        }
    }
}

double train_fit_descend(const struct train_fit *fit, uint32_t epochs) {
    static uint16_t entry_of[TRAIN_KNOWN];
    static double values[TRAIN_ENTRIES], begun[TRAIN_ENTRIES];
    struct train_sums *sums =
        mmap(NULL, WORKERS * sizeof *sums, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    double mean = 0, cost = 0;
    if (sums == MAP_FAILED) abort();
    for (uint32_t i = 0; i < fit->count; i++) mean += fit->traces[i].bytes_weight / fit->count;
    train_tables_entries(fit->tables, entry_of);
    for (uint32_t i = 0; i < TRAIN_ENTRIES; i++) begun[i] = values[i] = *train_tables_entry(fit->tables, i);
    for (uint32_t epoch = 0; epoch < epochs; epoch++) {
        train_tables_apply(fit->tables);
        replay_all(fit, entry_of, values, sums);
        cost = sums->cost;
        move_weights(fit->tables, sums);
        for (uint32_t i = 0; i < TRAIN_ENTRY_BITS_AT; i++) {
            double hold = HOLD * mean, slope = sums->slope[i] - hold * (values[i] - begun[i]) / 16;
            double step = SPEED * slope / (sums->bend[i] + hold);
            step = step > STEP_MAX ? STEP_MAX : step < -STEP_MAX ? -STEP_MAX : step;
            double value = values[i] + 16 * step;
            values[i] = value > 127 ? 127 : value < -127 ? -127 : value;
        }
        for (uint32_t i = 0; i < TRAIN_ENTRIES; i++) {
            *train_tables_entry(fit->tables, i) = (int8_t)floor(values[i] + 0.5);
        }
    }
    (void)munmap(sums, WORKERS * sizeof *sums);
    return cost;
}
