/* SPDX-License-Identifier: Apache-2.0 */
#include "delta_expectation.h"

#include <stdlib.h>

bool muster_expectation_init(struct muster_expectation *expectation, const struct muster_text *text) {
    size_t count = (size_t)text->base_len / 2 + 1;
    expectation->referred = malloc(count * sizeof *expectation->referred);
    expectation->distance = malloc(count);
    return expectation->referred != NULL && expectation->distance != NULL;
}

void muster_expectation_free(struct muster_expectation *expectation) {
    free(expectation->referred);
    free(expectation->distance);
}

static int by_source(const void *left, const void *right) {
    const struct muster_segment *a = *(const struct muster_segment *const *)left;
    const struct muster_segment *b = *(const struct muster_segment *const *)right;
    if (a->source != b->source) return a->source < b->source ? -1 : 1;
    return a->target < b->target ? -1 : 1;
}

/* The map's entry nearest to a base offset, and how far away it is. */
static const struct muster_segment *nearest(const struct muster_segment *const *map, uint32_t count, uint32_t offset,
                                            uint32_t *distance) {
    uint32_t low = 0;
    uint32_t high = count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (map[middle]->source <= offset) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    const struct muster_segment *best = NULL;
    *distance = UINT32_MAX;
    for (uint32_t back = 0; back < 4 && back < low; back++) {
        const struct muster_segment *segment = map[low - 1 - back];
        uint32_t behind = offset - segment->source;
        uint32_t away = behind < segment->len ? 0 : behind - segment->len + 1;
        if (away >= *distance) continue;
        *distance = away;
        best = segment;
        if (away == 0) return best;
    }
    if (low < count && map[low]->source - offset < *distance) {
        *distance = map[low]->source - offset;
        best = map[low];
    }
    return best;
}

bool muster_expectation_fill(struct muster_expectation *expectation, const struct muster_text *text,
                             const struct muster_segment *segments, uint32_t count) {
    const struct muster_segment **map = malloc(((size_t)count + 1) * sizeof *map);
    if (map == NULL) return false;
    uint32_t map_len = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (segments[i].in_map) map[map_len++] = &segments[i];
    }
    qsort(map, map_len, sizeof *map, by_source);
    for (uint32_t at = 0; at < text->base_len; at += 2) {
        uint32_t referred = text->referred[at / 2];
        uint32_t distance = UINT8_MAX;
        uint32_t expected = MUSTER_NOWHERE;
        bool is_near = (text->kind[at] & MUSTER_TEXT_KIND) == MUSTER_REFERENCE_NEAR;
        if (referred < text->base_len && map_len != 0) {
            const struct muster_segment *entry = nearest(map, map_len, referred & ~1u, &distance);
            if (distance == 0 || !is_near) expected = referred + (entry->target - entry->source);
        } else if (referred < text->base_len && !is_near) {
            expected = referred;
        }
        expectation->referred[at / 2] = expected;
        expectation->distance[at / 2] = (uint8_t)(distance < UINT8_MAX ? distance : UINT8_MAX);
    }
    free(map);
    return true;
}

/* The learned reference nearest to this one; before it counts double, as code grows at its end. */
static const uint32_t *nearest_learned(const struct muster_learned *learned, uint32_t referred, uint32_t *distance) {
    uint32_t count = learned->count < MUSTER_LEARNED ? learned->count : MUSTER_LEARNED;
    const uint32_t *shift = NULL;
    *distance = UINT32_MAX;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t known = learned->referred[i];
        uint32_t away = known <= referred ? referred - known : (known - referred) * 2;
        if (away >= *distance) continue;
        *distance = away;
        shift = &learned->shift[i];
    }
    return shift;
}

static bool is_as_expected(const struct muster_expectation *expectation, const struct muster_text *text, uint32_t at,
                           uint32_t target) {
    uint32_t expected = expectation->referred[at / 2];
    if (expected == MUSTER_NOWHERE) expected = text->referred[at / 2] + (target - text->origin - at);
    return text->referred[target / 2] == expected;
}

enum muster_surprise muster_reference_surprise(const struct muster_expectation *expectation,
                                               const struct muster_learned *learned, const struct muster_text *text,
                                               uint32_t at, uint32_t target) {
    if (is_as_expected(expectation, text, at, target)) return MUSTER_SURPRISE_NONE;
    if (text->kind[at] == MUSTER_REFERENCE_NEAR) return MUSTER_SURPRISE_FULL;
    uint32_t old = text->referred[at / 2];
    uint32_t shift = text->referred[target / 2] - old;
    uint32_t distance;
    const uint32_t *known = nearest_learned(learned, old & ~1u, &distance);
    bool believed = known != NULL && (distance == 0 || distance < expectation->distance[at / 2]);
    if (believed && *known == shift) return MUSTER_SURPRISE_LEARNED;
    for (uint32_t i = 0; i < MUSTER_LEARNED_SHIFTS; i++) {
        if (learned->recent[i] == shift) return MUSTER_SURPRISE_RECENT;
    }
    return MUSTER_SURPRISE_FULL;
}

static void remember_shift(struct muster_learned *learned, uint32_t shift) {
    uint32_t at = 0;
    while (at < MUSTER_LEARNED_SHIFTS - 1 && learned->recent[at] != shift) at++;
    memmove(learned->recent + 1, learned->recent, at * sizeof *learned->recent);
    learned->recent[0] = shift;
}

void muster_reference_learn(struct muster_learned *learned, const struct muster_expectation *expectation,
                            const struct muster_text *text, uint32_t at, uint32_t target) {
    uint32_t old = text->referred[at / 2];
    uint32_t shift = text->referred[target / 2] - old;
    if (is_as_expected(expectation, text, at, target)) return;
    remember_shift(learned, shift);
    uint32_t count = learned->count < MUSTER_LEARNED ? learned->count : MUSTER_LEARNED;
    for (uint32_t i = 0; i < count; i++) {
        if (learned->referred[i] != (old & ~1u)) continue;
        learned->shift[i] = shift;
        return;
    }
    learned->referred[learned->count % MUSTER_LEARNED] = old & ~1u;
    learned->shift[learned->count % MUSTER_LEARNED] = shift;
    learned->count++;
}
