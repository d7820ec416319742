/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "delta_mix.h"
#include "fit.h"
#include "trace.h"

enum {
    SEQUENCE_MAX = 256, /* of a counter's outcomes in one trace: what it begins with matters early */
    LEVELS = 64,
    SEEN_LEVELS = 4,
};

/* Imagined outcomes of each side, of mean weight: what a rare counter may be sure of. */
static const double DOUBT = 0.35;

struct sequence {
    uint8_t seen_max;
    uint16_t len;
    uint8_t bits[SEQUENCE_MAX];
};

struct sequences {
    struct sequence *of; /* [counter][trace] */
    uint32_t traces;
};

static void add_outcome(const struct sequences *sequences, uint32_t counter, uint32_t trace, uint32_t bit,
                        uint32_t seen_max) {
    if (counter >= OTA_DELTA_INITIALS) return;
    struct sequence *sequence = &sequences->of[counter * sequences->traces + trace];
    sequence->seen_max = (uint8_t)seen_max;
    if (sequence->len < SEQUENCE_MAX) sequence->bits[sequence->len++] = (uint8_t)bit;
}

static void collect(const struct train_fit *fit, const struct sequences *sequences) {
    for (uint32_t i = 0; i < fit->count; i++) {
        const struct train_trace *trace = &fit->traces[i];
        for (size_t at = 0; at < trace->len;) {
            uint32_t word = trace->words[at++], bit = train_word_bit(word), number = train_word_number(word);
            switch ((enum train_decision)train_word_decision(word)) {
            case TRAIN_COUNTER:
                add_outcome(sequences, number, i, bit, OTA_DELTA_BIT_SEEN_MAX);
                break;
            case TRAIN_MIXED:
                for (uint32_t input = 0; input < OTA_DELTA_MIX_INPUTS; input++, at++) {
                    bool is_known = (trace->words[at] & TRAIN_INPUT_IS_KNOWN) != 0;
                    if (!is_known) add_outcome(sequences, trace->words[at], i, bit, OTA_DELTA_MIXED_SEEN_MAX);
                }
                break;
            case TRAIN_EVEN:
                break;
            }
        }
    }
}

static double cost_of(const struct train_fit *fit, const struct sequence *sequences, uint16_t begin,
                      const double *bits_of, double limit) {
    double cost = 0;
    for (uint32_t i = 0; i < fit->count && cost < limit; i++) {
        const struct sequence *sequence = &sequences[i];
        uint16_t counter = begin;
        double bits = 0;
        for (uint32_t at = 0; at < sequence->len; at++) {
            uint32_t chance = counter >> 4;
            bits += bits_of[sequence->bits[at] != 0 ? chance : 4096 - chance];
            ota_delta_counter_update(&counter, sequence->bits[at], sequence->seen_max);
        }
        cost += bits * fit->traces[i].weight;
    }
    return cost;
}

static uint8_t best_initial(const struct train_fit *fit, const struct sequence *sequences, const double *bits_of,
                            double doubt) {
    static const uint8_t SEEN[SEEN_LEVELS] = {0, 3, 6, 9};
    uint32_t best = (LEVELS / 2) << 2, outcomes = 0;
    double least = INFINITY;
    for (uint32_t i = 0; i < fit->count; i++) outcomes += sequences[i].len;
    if (outcomes == 0) return (uint8_t)best;
    for (uint32_t level = 0; level < LEVELS; level++) {
        uint32_t chance = ota_delta_squash(64 * (int32_t)level - 2016) >> 4;
        for (uint32_t seen = 0; seen < SEEN_LEVELS; seen++) {
            double cost = doubt * (bits_of[chance] + bits_of[4096 - chance]);
            cost += cost_of(fit, sequences, (uint16_t)(chance << 4 | SEEN[seen]), bits_of, least - cost);
            if (cost >= least) continue;
            least = cost;
            best = level << 2 | seen;
        }
    }
    return (uint8_t)best;
}

void train_fit_counters(const struct train_fit *fit) {
    struct sequences sequences = {calloc((size_t)OTA_DELTA_INITIALS * fit->count, sizeof(struct sequence)), fit->count};
    double bits_of[4097], mean = 0;
    if (sequences.of == NULL) abort();
    for (uint32_t i = 0; i <= 4096; i++) bits_of[i] = -log2((i * 16 + 8) / 65536.0);
    for (uint32_t i = 0; i < fit->count; i++) mean += fit->traces[i].weight / fit->count;
    collect(fit, &sequences);
    for (uint32_t counter = 0; counter < OTA_DELTA_INITIALS; counter++) {
        fit->tables->initials[counter] = best_initial(fit, sequences.of + counter * fit->count, bits_of, DOUBT * mean);
    }
    free(sequences.of);
}
