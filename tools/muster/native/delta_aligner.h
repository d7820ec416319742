/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MUSTER_DELTA_ALIGNER_H
#define MUSTER_DELTA_ALIGNER_H

#include "delta_align.h"
#include "delta_paths.h"

/* The state of one alignment: private to delta_align.c and delta_sources.c. Positions are even: copies begin and end
 * between halfwords of the target. */

enum {
    MUSTER_COPIES_MAX = 64,
    MUSTER_RESTING_MAX = 128,
    MUSTER_PAST = 128, /* a copy may begin so many halfwords before the place where it was found, less one */
    MUSTER_CHOSEN = 8, /* sources taken up at one place */
};

/* A copy that may still turn out best. */
struct muster_copy {
    int64_t cost;
    int32_t shift;
    uint32_t step;
};

/* The best path to a position. */
struct muster_past {
    int64_t cost;
    uint32_t step;
};

struct muster_aligner {
    const struct muster_aligner_input *input;
    const struct muster_text *text;
    const struct muster_costs *costs;
    uint32_t end; /* of the target's whole halfwords */
    struct muster_paths paths;
    struct muster_copy literal; /* the path that ends in literals */
    struct muster_copy copies[MUSTER_COPIES_MAX];
    uint32_t copy_count;
    int32_t resting[MUSTER_RESTING_MAX]; /* shifts of copies that fell behind: they may come back */
    uint32_t resting_count;
    uint32_t resting_next;                /* the oldest when there are MUSTER_RESTING_MAX of them */
    int32_t run_shift;                    /* the best path copies by this shift ... */
    uint32_t run_end;                     /* ... without a stumble up to here, at least */
    struct muster_past past[MUSTER_PAST]; /* the best paths to the positions before */
    int64_t effort;                       /* what may be spent still; at 0 or less the search is cut short */
    struct muster_learned learned;        /* on the path that was best all along */
};

/* What beginning a copy with this shift costs on a path that ends with `step`. */
uint32_t muster_begin_cost(const struct muster_aligner *aligner, uint32_t step, uint32_t position, int32_t shift);

static inline bool muster_can_copy(const struct muster_text *text, int32_t shift, uint32_t position) {
    uint32_t source = position + (uint32_t)shift;
    return muster_text_readable(text, source, position) && muster_text_readable(text, source + 1, position);
}

/* Whether the best path is a copy in the midst of a run without a stumble, so that no search is needed. */
bool muster_is_smooth(struct muster_aligner *aligner, const struct muster_copy *best, uint32_t position);

/* Sources chosen at one place. */
struct muster_choice {
    int32_t shift[MUSTER_CHOSEN];
    int64_t score[MUSTER_CHOSEN];
    uint32_t count;
};

/* The most promising shifts for a copy at `position`, which is eight bytes before the end or earlier. */
void muster_sources_find(struct muster_aligner *aligner, struct muster_choice *choice, const struct muster_copy *best,
                         uint32_t position);

#endif
