/* SPDX-License-Identifier: Apache-2.0 */
#include "delta_segments.h"

#include <stdlib.h>

#include "delta_align.h"
#include "delta_map_choice.h"

enum { PASSES = 3 };

/* In 256ths of a bit, so that halves and hundredths can be told. */
static uint32_t bits(uint32_t hundredths) { return hundredths * MUSTER_BIT / 100; }

void muster_costs_init(struct muster_costs *costs, enum muster_parse parse) {
    bool prefers_long = parse == MUSTER_PARSE_LONG;
    costs->literal_begin = bits(prefers_long ? 400 : 300);
    costs->equal_halfword = bits(4);
    costs->miss = bits(prefers_long ? 400 : 500);
    costs->miss_odd = bits(1600);
    costs->miss_high_known = bits(prefers_long ? 800 : 1000);
    costs->miss_repeated[0] = bits(500);
    costs->miss_repeated[1] = bits(350);
    costs->miss_repeated[2] = bits(200);

    costs->reference[MUSTER_REFERENCE_NONE] = 0;
    costs->reference[MUSTER_REFERENCE_CALL] = bits(80);
    costs->reference[MUSTER_REFERENCE_POINTER] = bits(100);
    costs->reference[MUSTER_REFERENCE_NEAR] = bits(150);
    costs->reference_hit = bits(20);
    costs->reference_learned = bits(100);
    costs->reference_recent = bits(600);
    costs->reference_near = bits(1000);
    costs->reference_miss = bits(700);
    costs->reference_repeated = bits(600);
    costs->reference_unchanged = bits(500);
    costs->reference_bit = bits(60);

    costs->shift_again = bits(prefers_long ? 2000 : 1300);
    costs->shift_recent = bits(prefers_long ? 2100 : 1900);
    costs->shift_insert = bits(prefers_long ? 1200 : 900);
    costs->shift_near = bits(1300);
    costs->shift_bit = bits(140);
    costs->shift_far = bits(prefers_long ? 3900 : 3500);

    costs->first_copy = bits(1000);
}

/* All that the passes share. */
struct finder {
    const struct muster_alignment *alignment;
    struct muster_text text;
    struct muster_places normal_places;
    struct muster_places raw_places;
    struct muster_substitutions *substitutions;
    struct muster_expectation expectation;
    struct muster_segment *segments;
    uint32_t count;
};

static bool finder_init(struct finder *self, const struct muster_alignment *alignment) {
    self->alignment = alignment;
    struct muster_text *text = &self->text;
    return muster_text_init(text, alignment) && muster_places_init(&self->normal_places, text, text->normal, 8, 2) &&
           muster_places_init(&self->raw_places, text, text->raw, 4, 1) &&
           (self->substitutions = malloc(sizeof *self->substitutions)) != NULL &&
           muster_expectation_init(&self->expectation, text);
}

static void finder_free(struct finder *self) {
    muster_text_free(&self->text);
    muster_places_free(&self->normal_places);
    muster_places_free(&self->raw_places);
    free(self->substitutions);
    muster_expectation_free(&self->expectation);
    free(self->segments);
}

/* Aligns once; all passes but the first know what the one before found. */
static bool pass(struct finder *self, bool is_first) {
    const struct muster_alignment *alignment = self->alignment;
    struct muster_aligner_input input = {&self->text, alignment->costs, &self->normal_places, &self->raw_places, NULL,
                                         NULL};
    if (!is_first) {
        muster_substitutions_count(self->substitutions, &self->text, self->segments, self->count);
        if (!muster_expectation_fill(&self->expectation, &self->text, self->segments, self->count)) return false;
        input.substitutions = self->substitutions;
        input.expectation = &self->expectation;
        free(self->segments);
        self->segments = NULL;
    }
    return muster_align(&input, &self->segments, &self->count) &&
           muster_map_choose(&self->text, self->segments, self->count, alignment->map_max, alignment->map_len_min);
}

enum ota_status muster_segments_find(const struct muster_alignment *alignment, struct muster_segment **segments,
                                     uint32_t *count) {
    if (alignment->base_len > MUSTER_ALIGNMENT_LEN_MAX || alignment->target_len > MUSTER_ALIGNMENT_LEN_MAX) {
        return OTA_ERR_BUFFER;
    }
    struct finder self = {0};
    bool done = finder_init(&self, alignment);
    for (uint32_t i = 0; done && i < PASSES; i++) done = pass(&self, i == 0);
    if (done) {
        *segments = self.segments;
        *count = self.count;
        self.segments = NULL;
    }
    finder_free(&self);
    return done ? OTA_OK : OTA_ERR_BUFFER;
}
