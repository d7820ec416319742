/* SPDX-License-Identifier: Apache-2.0 */
#include "delta_map_choice.h"

#include <stdlib.h>

/* A reference that the map explains is worth this many bytes of a segment's length. */
enum { VOTE = 64 };

/* A segment that may get into the map. */
struct entry {
    uint64_t score;
    struct muster_segment *segment;
};

/* By falling score; equal ones in the order of the target, so that the result does not depend on qsort. */
static int by_score(const void *left, const void *right) {
    const struct entry *a = left;
    const struct entry *b = right;
    if (a->score != b->score) return a->score > b->score ? -1 : 1;
    return a->segment->target < b->segment->target ? -1 : 1;
}

/* Gives each base byte to the longest segment that copies it; a segment that has little of its own is no entry. */
static uint32_t settle(const struct muster_text *text, struct entry *entries, uint32_t count, uint32_t len_min,
                       uint32_t *owner) {
    memset(owner, 0xFF, ((size_t)text->base_len + 1) * sizeof *owner);
    uint32_t kept = 0;
    for (uint32_t i = 0; i < count; i++) {
        const struct muster_segment *segment = entries[i].segment;
        if (segment->len < len_min) break;
        uint32_t taken = 0;
        for (uint32_t at = 0; at < segment->len; at++) taken += owner[segment->source + at] != MUSTER_NOWHERE;
        if ((uint64_t)taken * 3 > segment->len) continue;
        for (uint32_t at = 0; at < segment->len; at++) {
            uint32_t *place = &owner[segment->source + at];
            if (*place == MUSTER_NOWHERE) *place = kept;
        }
        entries[kept++].segment = entries[i].segment;
    }
    return kept;
}

/* Each reference that the copies carry on votes for the segment whose shift explains it. */
static void vote(const struct muster_text *text, const struct muster_segment *segment, const uint32_t *owner,
                 struct entry *entries) {
    if (((segment->source ^ segment->target) & 1u) != 0) return;
    for (uint32_t at = segment->target & 1u; at + 4 <= segment->len; at += 2) {
        uint32_t source = segment->source + at;
        uint32_t target = text->origin + segment->target + at;
        uint8_t kind = text->kind[source];
        if (kind != MUSTER_REFERENCE_CALL && kind != MUSTER_REFERENCE_POINTER) continue;
        if (text->kind[target] != kind) continue;
        uint32_t old = text->referred[source / 2] & ~1u;
        uint32_t new = text->referred[target / 2] & ~1u;
        if (old >= text->base_len || owner[old] == MUSTER_NOWHERE) continue;
        struct entry *entry = &entries[owner[old]];
        if (new - old == entry->segment->target - entry->segment->source) entry->score += VOTE;
    }
}

bool muster_map_choose(const struct muster_text *text, struct muster_segment *segments, uint32_t count, uint32_t max,
                       uint32_t len_min) {
    struct entry *entries = malloc(((size_t)count + 1) * sizeof *entries);
    uint32_t *owner = malloc(((size_t)text->base_len + 1) * sizeof *owner);
    bool ready = entries != NULL && owner != NULL;
    if (ready) {
        uint32_t found = 0;
        for (uint32_t i = 0; i < count; i++) {
            segments[i].in_map = false;
            if (!segments[i].from_target) entries[found++] = (struct entry){segments[i].len, &segments[i]};
        }
        qsort(entries, found, sizeof *entries, by_score);
        uint32_t kept = settle(text, entries, found, len_min, owner);
        for (uint32_t i = 0; i < kept; i++) entries[i].score = entries[i].segment->len;
        for (uint32_t i = 0; kept > max && i < count; i++) {
            if (!segments[i].from_target) vote(text, &segments[i], owner, entries);
        }
        qsort(entries, kept, sizeof *entries, by_score);
        for (uint32_t i = 0; i < kept && i < max; i++) entries[i].segment->in_map = true;
    }
    free(entries);
    free(owner);
    return ready;
}
