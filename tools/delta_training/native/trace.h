/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DELTA_TRAINING_TRACE_H
#define DELTA_TRAINING_TRACE_H

#include <stddef.h>

#include "record.h"

/* All decisions of one patch. Each is a word, and behind a mixed one a word for each input. */
enum train_decision {
    TRAIN_COUNTER = 0, /* by the counter of this number */
    TRAIN_MIXED = 1,   /* number: set of weights, those of bytes behind those of hits; then its inputs */
    TRAIN_EVEN = 2,    /* this many bits */
};

enum { TRAIN_INPUT_IS_KNOWN = 0x40000000 };

static inline uint32_t train_word(uint32_t decision, uint32_t bit, uint32_t number) {
    return decision | bit << 2 | number << 3;
}
static inline uint32_t train_word_decision(uint32_t word) { return word & 3; }
static inline uint32_t train_word_bit(uint32_t word) { return word >> 2 & 1; }
static inline uint32_t train_word_number(uint32_t word) { return word >> 3; }

/* A patch is recorded between these. The words are the caller's to free. */
void train_record_begin(void);
uint32_t *train_record_end(size_t *len);

#endif
