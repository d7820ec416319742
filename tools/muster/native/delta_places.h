/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MUSTER_DELTA_PLACES_H
#define MUSTER_DELTA_PLACES_H

#include "delta_text.h"

/* Where a few bytes of the text occur: in the base, in rising order, and in the target as far as it was added, the
 * newest first. */
struct muster_places {
    const uint8_t *bytes; /* of the text: raw or normal */
    uint32_t key_len;     /* 4 or 8 */
    uint32_t step;        /* 1: every place; 2: even ones only */
    uint32_t *base_begin; /* per hash: where its places begin in `base_places`; one more entry at the end */
    uint32_t *base_places;
    uint32_t *target_head; /* per hash: newest place, or MUSTER_NOWHERE */
    uint32_t *target_next; /* per target position */
};

/* False when memory is short; muster_places_free() is then to be called all the same. */
bool muster_places_init(struct muster_places *places, const struct muster_text *text, const uint8_t *bytes,
                        uint32_t key_len, uint32_t step);
void muster_places_free(struct muster_places *places);

/* Forgets the target's places. */
void muster_places_rewind(struct muster_places *places);

/* Adds the target's place `position`. Its key may reach into the padding. */
void muster_places_add(struct muster_places *places, const struct muster_text *text, uint32_t position);

/* One search: base places by their distance from `around`, nearest first, then target places. */
struct muster_search {
    const struct muster_places *places;
    uint32_t around;
    uint32_t begin; /* base places not yet told: below `low` and from `high` on */
    uint32_t low;
    uint32_t high;
    uint32_t end;
    uint32_t newest;
    uint32_t origin;
};

/* Searches for the key at `at`, a place of the text whose key lies wholly in it. */
struct muster_search muster_places_search(const struct muster_places *places, const struct muster_text *text,
                                          uint32_t at, uint32_t around);

/* The next place with the key's hash (its bytes may differ), or MUSTER_NOWHERE. */
uint32_t muster_search_base(struct muster_search *search);
uint32_t muster_search_target(struct muster_search *search);

#endif
