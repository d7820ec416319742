/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MUSTER_DELTA_EXPECTATION_H
#define MUSTER_DELTA_EXPECTATION_H

#include "delta_segments.h"
#include "delta_text.h"

/* What the coder will expect of the base's references: per two bytes of the base. */
struct muster_expectation {
    uint32_t *referred; /* image offset that the map makes of it; MUSTER_NOWHERE: it moves with the code */
    uint8_t *distance;  /* from what it means to the map's nearest segment, 0: inside; at most UINT8_MAX */
};

/* False when memory is short; muster_expectation_free() is then to be called all the same. */
bool muster_expectation_init(struct muster_expectation *expectation, const struct muster_text *text);
void muster_expectation_free(struct muster_expectation *expectation);

/* Fills in what the segments that are `in_map` say. False when memory is short. */
bool muster_expectation_fill(struct muster_expectation *expectation, const struct muster_text *text,
                             const struct muster_segment *segments, uint32_t count);

enum { MUSTER_LEARNED = 16, MUSTER_LEARNED_SHIFTS = 4 };

/* What the coder will have learned from references that were not as expected: a small part of the newest. */
struct muster_learned {
    uint32_t referred[MUSTER_LEARNED];
    uint32_t shift[MUSTER_LEARNED];
    uint32_t count;                         /* ever learned; the newest overwrites the oldest */
    uint32_t recent[MUSTER_LEARNED_SHIFTS]; /* distinct shifts, the newest first */
};

/* The reference at `at` in the base, copied to `target`: how hard is it to code? */
enum muster_surprise {
    MUSTER_SURPRISE_NONE,
    MUSTER_SURPRISE_LEARNED, /* as expected, from what was learned */
    MUSTER_SURPRISE_RECENT,  /* shifted as another one lately */
    MUSTER_SURPRISE_FULL,
};

enum muster_surprise muster_reference_surprise(const struct muster_expectation *expectation,
                                               const struct muster_learned *learned, const struct muster_text *text,
                                               uint32_t at, uint32_t target);

/* The coder has coded this reference. */
void muster_reference_learn(struct muster_learned *learned, const struct muster_expectation *expectation,
                            const struct muster_text *text, uint32_t at, uint32_t target);

#endif
