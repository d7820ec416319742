/* SPDX-License-Identifier: Apache-2.0 */
#include "delta_substitutions.h"

static void count_up(uint8_t *counts, uint32_t from, uint32_t to) {
    uint8_t *count = &counts[muster_substitutions_slot(from, to)];
    if (*count != UINT8_MAX) ++*count;
}

static void count_segment(struct muster_substitutions *substitutions, const struct muster_text *text,
                          const struct muster_segment *segment) {
    uint32_t source = segment->source + (segment->from_target ? text->origin : 0);
    if (((source ^ segment->target) & 1u) != 0) return;
    for (uint32_t at = segment->target & 1u; at + 2 <= segment->len; at += 2) {
        uint32_t from = source + at;
        uint32_t to = text->origin + segment->target + at;
        uint32_t old = muster_text_halfword(text, from);
        uint32_t new = muster_text_halfword(text, to);
        if (old != new) count_up(substitutions->halfword, old, new);
        if (segment->from_target) continue;
        uint32_t old_referred = text->referred[from / 2];
        uint32_t new_referred = text->referred[to / 2];
        if (old_referred == MUSTER_NOWHERE || new_referred == MUSTER_NOWHERE) continue;
        if (text->kind[from] == text->kind[to]) count_up(substitutions->reference, old_referred, new_referred);
    }
}

void muster_substitutions_count(struct muster_substitutions *substitutions, const struct muster_text *text,
                                const struct muster_segment *segments, uint32_t count) {
    memset(substitutions, 0, sizeof *substitutions);
    for (uint32_t i = 0; i < count; i++) count_segment(substitutions, text, &segments[i]);
}
