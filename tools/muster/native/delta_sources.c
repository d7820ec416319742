/* SPDX-License-Identifier: Apache-2.0 */
#include "delta_aligner.h"

#include "delta_unit_cost.h"

enum {
    TRIED_MAX = 64,     /* places looked at, per kind of key and image */
    TRIED_SPENT = 2,    /* when the effort is spent */
    COMPARED_MAX = 400, /* bytes; more say nothing more */
    COMPARED_SPENT = 32,
    NORMAL_MIN = 6, /* shortest run worth a copy, by what is compared */
    RAW_MIN = 4,
    EQUAL_BYTE_GAIN = 4 * MUSTER_BIT,
    SMOOTH_AHEAD = 24,            /* a run of so many bytes needs no search */
    SMOOTH_COST = 3 * MUSTER_BIT, /* of a halfword */
    LOOK_AHEAD = 128,
};

/* Whether the copy makes this halfword cheaply. */
static bool is_easy(const struct muster_aligner *self, int32_t shift, uint32_t position) {
    if (!muster_can_copy(self->text, shift, position)) return false;
    return muster_unit_cost(self->input, &self->learned, position, shift) <= SMOOTH_COST;
}

bool muster_is_smooth(struct muster_aligner *self, const struct muster_copy *best, uint32_t position) {
    if (best->shift == MUSTER_LITERAL) return false;
    if (best->shift != self->run_shift || position > self->run_end) {
        self->run_shift = best->shift;
        self->run_end = position;
    }
    uint32_t left = self->end - position;
    uint32_t wanted = position + (left < SMOOTH_AHEAD ? left : SMOOTH_AHEAD);
    if (wanted > self->run_end) {
        uint32_t limit = position + (left < LOOK_AHEAD ? left : LOOK_AHEAD);
        if (self->effort <= 0) limit = wanted;
        uint32_t begin = self->run_end;
        while (self->run_end < limit && is_easy(self, best->shift, self->run_end)) self->run_end += 2;
        self->effort -= (self->run_end - begin) / 2;
    }
    return self->run_end >= wanted;
}

/* Takes the shift among the chosen when it is better than the worst of them. */
static void choose(struct muster_aligner *self, struct muster_choice *choice, const struct muster_copy *best,
                   uint32_t position, int32_t shift, uint32_t len) {
    int64_t score = (int64_t)len * EQUAL_BYTE_GAIN;
    uint32_t worst = 0;
    for (uint32_t i = 0; i < choice->count; i++) {
        if (choice->shift[i] == shift) return;
        if (choice->score[i] < choice->score[worst]) worst = i;
    }
    bool is_full = choice->count == MUSTER_CHOSEN;
    if (is_full && score <= choice->score[worst]) return;
    score -= muster_begin_cost(self, best->step, position, shift);
    if (is_full && score <= choice->score[worst]) return;
    if (!is_full) worst = choice->count++;
    choice->shift[worst] = shift;
    choice->score[worst] = score;
}

static void try_source(struct muster_aligner *self, struct muster_choice *choice, const struct muster_copy *best,
                       uint32_t position, uint32_t source, const struct muster_places *places, uint32_t len_min) {
    const struct muster_text *text = self->text;
    uint32_t limit = self->end - position;
    uint32_t compared_max = self->effort > 0 ? COMPARED_MAX : COMPARED_SPENT;
    if (limit > compared_max) limit = compared_max;
    if (source < text->base_len && limit > text->base_len - source) limit = text->base_len - source;
    uint32_t len = muster_text_common(places->bytes + source, places->bytes + text->origin + position, limit);
    self->effort -= 1 + len / 8;
    if (len >= len_min) choose(self, choice, best, position, (int32_t)(source - position), len);
}

static void search(struct muster_aligner *self, struct muster_choice *choice, const struct muster_copy *best,
                   uint32_t position, const struct muster_places *places, uint32_t len_min) {
    const struct muster_text *text = self->text;
    uint32_t around = position + (uint32_t)self->paths.steps[best->step].recent[0];
    struct muster_search found = muster_places_search(places, text, text->origin + position, around);
    uint32_t tries = self->effort > 0 ? TRIED_MAX : TRIED_SPENT;
    for (uint32_t i = 0; i < tries; i++) {
        uint32_t source = muster_search_base(&found);
        if (source == MUSTER_NOWHERE) break;
        try_source(self, choice, best, position, source, places, len_min);
    }
    for (uint32_t i = 0; i < tries; i++) {
        uint32_t source = muster_search_target(&found);
        if (source == MUSTER_NOWHERE) break;
        try_source(self, choice, best, position, source, places, len_min);
    }
}

void muster_sources_find(struct muster_aligner *self, struct muster_choice *choice, const struct muster_copy *best,
                         uint32_t position) {
    choice->count = 0;
    search(self, choice, best, position, self->input->normal_places, NORMAL_MIN);
    search(self, choice, best, position, self->input->raw_places, RAW_MIN);
}
