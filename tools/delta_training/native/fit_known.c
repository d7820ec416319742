/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "fit.h"
#include "trace.h"

/* Imagined outcomes, of mean weight. */
static const double BITS_DOUBT = 4, HITS_DOUBT = 3, GROUP_DOUBT = 12, LOWER_DOUBT = 12;
/* The counters beside a known hit say much of the same. */
static const double HITS_SHARE = 0.5;
/* What a byte counts in which a prediction was right until here: its prediction by context matters less then. */
static const double PREDICTED_SHARE = 0.5;

enum {
    NODES = 255,
    CLUSTERING_ROUNDS = 25,
};

struct counts {
    double of[TRAIN_KNOWN][2];
};

static void count(const struct train_fit *fit, struct counts *counts) {
    for (uint32_t i = 0; i < fit->count; i++) {
        const struct train_trace *trace = &fit->traces[i];
        for (size_t at = 0; at < trace->len;) {
            uint32_t word = trace->words[at++], bit = train_word_bit(word);
            if (train_word_decision(word) != TRAIN_MIXED) continue;
            uint32_t set = train_word_number(word);
            bool is_predicted = set >= OTA_DELTA_HIT_SETS && (set - OTA_DELTA_HIT_SETS) % 3 == 2;
            for (uint32_t input = 0; input < OTA_DELTA_MIX_INPUTS; input++, at++) {
                uint32_t known = trace->words[at];
                if ((known & TRAIN_INPUT_IS_KNOWN) == 0) continue;
                known &= ~(uint32_t)TRAIN_INPUT_IS_KNOWN;
                bool is_byte = known < TRAIN_KNOWN_BITS_AT;
                double weight = is_byte ? trace->bytes_weight * (is_predicted ? PREDICTED_SHARE : 1) : trace->weight;
                counts->of[known][bit] += weight;
            }
        }
    }
}

static int8_t stretched(double chance, double share) {
    double value = floor(16 * share * log(chance / (1 - chance)) + 0.5);
    return (int8_t)(value > 127 ? 127 : value < -127 ? -127 : value);
}

static double mean_weight(const struct train_fit *fit, bool of_bytes) {
    double sum = 0;
    for (uint32_t i = 0; i < fit->count; i++) {
        sum += of_bytes ? fit->traces[i].bytes_weight : fit->traces[i].weight;
    }
    return sum / fit->count;
}

/* Entries of a row lean towards what the row says together. */
static void fit_row(const struct counts *counts, uint32_t known, uint32_t len, double doubt, double share, int8_t *to) {
    double zeros = 0.1 * doubt, ones = 0.1 * doubt;
    for (uint32_t i = 0; i < len; i++) {
        zeros += counts->of[known + i][0];
        ones += counts->of[known + i][1];
    }
    double expected = ones / (zeros + ones);
    for (uint32_t i = 0; i < len; i++) {
        double one = counts->of[known + i][1] + doubt * expected;
        to[i] = stretched(one / (one + counts->of[known + i][0] + doubt * (1 - expected)), share);
    }
}

void train_fit_known(const struct train_fit *fit) {
    struct counts *counts = calloc(1, sizeof *counts);
    if (counts == NULL) abort();
    count(fit, counts);
    double mean = mean_weight(fit, false);
    for (uint32_t row = 0; row < 2 * 2 * 8; row++) {
        fit_row(counts, TRAIN_KNOWN_BITS_AT + 32 * row, 32, BITS_DOUBT * mean, 1,
                &fit->tables->known_bits[0][0][0][0] + 32 * row);
    }
    fit_row(counts, TRAIN_KNOWN_HITS_AT, 256, HITS_DOUBT * mean, HITS_SHARE, fit->tables->known_hits);
    for (uint32_t at = 256; at < TRAIN_KNOWN_HITS; at += 4) {
        fit_row(counts, TRAIN_KNOWN_HITS_AT + at, 4, HITS_DOUBT * mean, HITS_SHARE, fit->tables->known_hits + at);
    }
    free(counts);
}

/* ---- groups ---- */

/* Rows of outcomes at nodes, to be gathered in groups with one row of chances each. */
struct rows {
    uint32_t count, nodes, groups;
    double (*of)[NODES][2];
    uint8_t group[256];
};

/* Starts from the heaviest rows, one in each group; then each row goes where it costs least. */
static void gather(struct rows *rows, const double (*expected)[2], double doubt) {
    static double ones[256][NODES], zeros[256][NODES];
    double weight[256];
    uint32_t order[256];
    for (uint32_t row = 0; row < rows->count; row++) {
        weight[row] = rows->of[row][0][0] + rows->of[row][0][1];
        uint32_t at = row;
        for (; at > 0 && weight[order[at - 1]] < weight[row]; at--) order[at] = order[at - 1];
        order[at] = row;
    }
    for (uint32_t i = 0; i < rows->count; i++) {
        rows->group[order[i]] = (uint8_t)(i < rows->groups ? i : rows->groups - 1);
    }
    bool moved = true;
    for (uint32_t round = 0; moved && round < CLUSTERING_ROUNDS; round++) {
        for (uint32_t group = 0; group < rows->groups; group++) {
            for (uint32_t node = 0; node < rows->nodes; node++) {
                zeros[group][node] = doubt * expected[node][0];
                ones[group][node] = doubt * expected[node][1];
            }
        }
        for (uint32_t row = 0; row < rows->count; row++) {
            for (uint32_t node = 0; node < rows->nodes; node++) {
                zeros[rows->group[row]][node] += rows->of[row][node][0];
                ones[rows->group[row]][node] += rows->of[row][node][1];
            }
        }
        for (uint32_t group = 0; group < rows->groups; group++) {
            for (uint32_t node = 0; node < rows->nodes; node++) {
                double chance = ones[group][node] / (ones[group][node] + zeros[group][node]);
                chance = chance < 1 / 4000.0 ? 1 / 4000.0 : chance > 1 - 1 / 4000.0 ? 1 - 1 / 4000.0 : chance;
                ones[group][node] = -log2(chance);
                zeros[group][node] = -log2(1 - chance);
            }
        }
        moved = false;
        for (uint32_t row = 0; row < rows->count; row++) {
            double least = INFINITY;
            uint32_t best = 0;
            if (weight[row] == 0) continue;
            for (uint32_t group = 0; group < rows->groups; group++) {
                double cost = 0;
                for (uint32_t node = 0; node < rows->nodes; node++) {
                    cost += rows->of[row][node][0] * zeros[group][node] + rows->of[row][node][1] * ones[group][node];
                }
                if (cost >= least) continue;
                least = cost;
                best = group;
            }
            moved = moved || rows->group[row] != best;
            rows->group[row] = (uint8_t)best;
        }
    }
}

/* Chances of all rows together. */
static void expect(const struct rows *rows, double doubt, double (*expected)[2]) {
    for (uint32_t node = 0; node < rows->nodes; node++) {
        double zeros = 0.1 * doubt, ones = 0.1 * doubt;
        for (uint32_t row = 0; row < rows->count; row++) {
            zeros += rows->of[row][node][0];
            ones += rows->of[row][node][1];
        }
        expected[node][0] = zeros / (zeros + ones);
        expected[node][1] = ones / (zeros + ones);
    }
}

/* What a group's members say at one node. */
static int8_t group_value(const struct rows *rows, uint32_t group, uint32_t node, const double expected[2],
                          double doubt) {
    double zeros = doubt * expected[0], ones = doubt * expected[1];
    for (uint32_t row = 0; row < rows->count; row++) {
        if (rows->group[row] != group) continue;
        zeros += rows->of[row][node][0];
        ones += rows->of[row][node][1];
    }
    return stretched(ones / (zeros + ones), 1);
}

/* Node of the whole byte's tree, from 1, as the recorder numbers it. */
static uint32_t known_of_node(uint32_t context, uint32_t node) {
    if (node < 16) return context * 16 + node;
    uint32_t below = node < 32 ? 0 : node < 64 ? 1 : node < 128 ? 2 : 3;
    uint32_t upper = node >> below & 15, in_nibble = (node & ((1u << below) - 1)) | 1u << below;
    return 256 * 16 + (context * 16 + upper) * 16 + in_nibble;
}

static void fit_table(struct train_byte_table *table, const double (*counts)[2], double mean) {
    static double of[256][NODES][2], lower_of[256][NODES][2], expected[NODES][2];
    struct rows rows = {256, NODES, TRAIN_GROUPS, of, {0}};
    struct rows lower = {TRAIN_GROUPS * 16, 15, TRAIN_LOWER_GROUPS, lower_of, {0}};
    memset(lower_of, 0, sizeof lower_of);
    for (uint32_t context = 0; context < 256; context++) {
        for (uint32_t node = 1; node < 256; node++) {
            memcpy(of[context][node - 1], counts[known_of_node(context, node)], sizeof of[context][node - 1]);
        }
    }
    expect(&rows, GROUP_DOUBT * mean, expected);
    gather(&rows, (const double (*)[2])expected, GROUP_DOUBT * mean);
    memcpy(table->groups, rows.group, sizeof table->groups);
    for (uint32_t group = 0; group < TRAIN_GROUPS; group++) {
        for (uint32_t node = 1; node < 16; node++) {
            table->upper[group][node] = group_value(&rows, group, node - 1, expected[node - 1], GROUP_DOUBT * mean);
        }
    }
    for (uint32_t i = 0; i < 4096; i++) {
        uint32_t row = rows.group[i / 16] * 16u + i % 16;
        for (uint32_t node = 1; node < 16; node++) {
            lower_of[row][node - 1][0] += counts[256 * 16 + i * 16 + node][0];
            lower_of[row][node - 1][1] += counts[256 * 16 + i * 16 + node][1];
        }
    }
    expect(&lower, LOWER_DOUBT * mean, expected);
    gather(&lower, (const double (*)[2])expected, LOWER_DOUBT * mean);
    memcpy(table->lower_groups, lower.group, sizeof table->lower_groups);
    for (uint32_t group = 0; group < TRAIN_LOWER_GROUPS; group++) {
        for (uint32_t node = 1; node < 16; node++) {
            table->lower[group][node] = group_value(&lower, group, node - 1, expected[node - 1], LOWER_DOUBT * mean);
        }
    }
}

void train_fit_groups(const struct train_fit *fit) {
    struct counts *counts = calloc(1, sizeof *counts);
    if (counts == NULL) abort();
    count(fit, counts);
    for (uint32_t table = 0; table < TRAIN_BYTE_TABLES; table++) {
        fit_table(&fit->tables->bytes[table], (const double (*)[2])counts->of + table * TRAIN_KNOWN_PER_TABLE,
                  mean_weight(fit, true));
    }
    free(counts);
}
