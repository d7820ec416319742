/* SPDX-License-Identifier: Apache-2.0 */
#include "delta_places.h"

#include <stdlib.h>

enum { HASH_BITS = 18, HASH_SIZE = 1 << HASH_BITS };

static uint32_t hash_at(const struct muster_places *places, uint32_t at) {
    const uint8_t *bytes = places->bytes + at; /* the text's padding makes eight of them readable anywhere */
    uint64_t low = (uint64_t)bytes[0] | (uint64_t)bytes[1] << 8 | (uint64_t)bytes[2] << 16 | (uint64_t)bytes[3] << 24;
    uint64_t high = (uint64_t)bytes[4] | (uint64_t)bytes[5] << 8 | (uint64_t)bytes[6] << 16 | (uint64_t)bytes[7] << 24;
    uint64_t key = places->key_len == 8 ? low | high << 32 : low;
    return (uint32_t)((key * 0x9E3779B97F4A7C15u) >> (64 - HASH_BITS));
}

/* A counting sort by hash, which leaves equal ones in rising order. */
static void sort_base(struct muster_places *places, uint32_t base_len) {
    uint32_t *begin = places->base_begin;
    for (uint32_t at = 0; at + places->key_len <= base_len; at += places->step) begin[hash_at(places, at) + 1]++;
    for (uint32_t hash = 0; hash < HASH_SIZE; hash++) begin[hash + 1] += begin[hash];
    for (uint32_t at = 0; at + places->key_len <= base_len; at += places->step) {
        places->base_places[begin[hash_at(places, at)]++] = at;
    }
    /* Each entry has moved on to where the next one begins. */
    memmove(begin + 1, begin, HASH_SIZE * sizeof *begin);
    begin[0] = 0;
}

bool muster_places_init(struct muster_places *places, const struct muster_text *text, const uint8_t *bytes,
                        uint32_t key_len, uint32_t step) {
    places->bytes = bytes;
    places->key_len = key_len;
    places->step = step;
    places->base_begin = calloc(HASH_SIZE + 1, sizeof *places->base_begin);
    places->base_places = malloc(((size_t)text->base_len + 1) * sizeof *places->base_places);
    places->target_head = malloc(HASH_SIZE * sizeof *places->target_head);
    places->target_next = malloc(((size_t)text->target_len + 1) * sizeof *places->target_next);
    if (places->base_begin == NULL || places->base_places == NULL || places->target_head == NULL ||
        places->target_next == NULL) {
        return false;
    }
    sort_base(places, text->base_len);
    muster_places_rewind(places);
    return true;
}

void muster_places_free(struct muster_places *places) {
    free(places->base_begin);
    free(places->base_places);
    free(places->target_head);
    free(places->target_next);
}

void muster_places_rewind(struct muster_places *places) {
    for (uint32_t hash = 0; hash < HASH_SIZE; hash++) places->target_head[hash] = MUSTER_NOWHERE;
}

void muster_places_add(struct muster_places *places, const struct muster_text *text, uint32_t position) {
    uint32_t hash = hash_at(places, text->origin + position);
    places->target_next[position] = places->target_head[hash];
    places->target_head[hash] = text->origin + position;
}

/* First of the sorted places from `begin` to `end` that is not below `around`. */
static uint32_t first_from(const uint32_t *sorted, uint32_t begin, uint32_t end, uint32_t around) {
    while (begin < end) {
        uint32_t middle = begin + (end - begin) / 2;
        if (sorted[middle] < around) {
            begin = middle + 1;
        } else {
            end = middle;
        }
    }
    return begin;
}

struct muster_search muster_places_search(const struct muster_places *places, const struct muster_text *text,
                                          uint32_t at, uint32_t around) {
    uint32_t hash = hash_at(places, at);
    uint32_t begin = places->base_begin[hash];
    uint32_t end = places->base_begin[hash + 1];
    uint32_t middle = first_from(places->base_places, begin, end, around);
    return (struct muster_search){places, around, begin, middle, middle, end, places->target_head[hash], text->origin};
}

uint32_t muster_search_base(struct muster_search *search) {
    const uint32_t *sorted = search->places->base_places;
    bool below = search->low > search->begin;
    bool above = search->high < search->end;
    if (!below && !above) return MUSTER_NOWHERE;
    if (below && above) below = search->around - sorted[search->low - 1] < sorted[search->high] - search->around;
    return below ? sorted[--search->low] : sorted[search->high++];
}

uint32_t muster_search_target(struct muster_search *search) {
    uint32_t place = search->newest;
    if (place != MUSTER_NOWHERE) search->newest = search->places->target_next[place - search->origin];
    return place;
}
