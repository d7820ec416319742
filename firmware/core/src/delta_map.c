/* SPDX-License-Identifier: Apache-2.0 */
#include "delta_map.h"

#include <stddef.h>

#include "ota/bytes.h"

enum {
    PLACE_BITS = 21, /* of a place in a packed segment; a length lies above both of them */
    PLACE_MASK = (1 << PLACE_BITS) - 1,
    LEN_LOW_BITS = 32 - PLACE_BITS,
    NEAR_LEN = 64, /* bytes from a segment's end that count as near it */
};

_Static_assert((int)OTA_DELTA_LENGTH_MAX <= (int)PLACE_MASK, "a packed segment holds it");

struct ota_delta_segment ota_delta_map_segment(const struct ota_delta_kept *kept, uint32_t index) {
    const uint32_t *packed = kept->map[index];
    return (struct ota_delta_segment){
        .target = packed[0] & PLACE_MASK,
        .source = packed[1] & PLACE_MASK,
        .len = packed[0] >> PLACE_BITS | packed[1] >> PLACE_BITS << LEN_LOW_BITS,
    };
}

void ota_delta_map_add(struct ota_delta_kept *kept) {
    const struct ota_delta_segment *segment = &kept->pending;
    uint32_t *packed = kept->map[kept->map_len++];
    packed[0] = segment->target | segment->len << PLACE_BITS;
    packed[1] = segment->source | segment->len >> LEN_LOW_BITS << PLACE_BITS;
}

/* Bytes from `place` to the nearest byte of the segment; 0 inside it. Of the two sides, the wrong one wraps to a large
 * number. */
static uint32_t gap_to(struct ota_delta_segment segment, uint32_t place) {
    uint32_t into = place - segment.source;
    return into < segment.len ? 0 : ota_min_u32(0 - into, into - segment.len + 1);
}

static uint32_t nearest_segment(const struct ota_delta_kept *kept, uint32_t place, uint32_t *gap) {
    uint32_t distance = 0;
    *gap = UINT32_MAX;
    for (uint32_t i = 0; i < kept->map_len; i++) {
        struct ota_delta_segment segment = ota_delta_map_segment(kept, i);
        uint32_t its_gap = gap_to(segment, place);
        if (its_gap >= *gap) continue;
        *gap = its_gap;
        distance = segment.target - segment.source;
    }
    return distance;
}

/* The learned place nearest to `place`; those above it count twice as far: what was inserted moves what is behind. */
static uint32_t nearest_learned(const struct ota_delta_memory *memory, uint32_t place, uint32_t *gap) {
    uint32_t distance = 0;
    *gap = UINT32_MAX;
    for (uint32_t i = 0; i < memory->len; i++) {
        uint32_t above = memory->learned[i].place - place;
        uint32_t its_gap = ota_min_u32(0 - above, 2 * above);
        if (its_gap >= *gap) continue;
        *gap = its_gap;
        distance = memory->learned[i].distance;
    }
    return distance;
}

uint32_t ota_delta_map_place(struct ota_delta_kept *kept, uint32_t place) {
    uint8_t *confidence = &kept->prediction.confidence;
    uint32_t gap = UINT32_MAX, learned_gap;
    uint32_t even = place & ~1u; /* bit 0 of a pointer to code is the instruction set */
    bool is_variable = place >= OTA_DELTA_RAM_START;
    *confidence = OTA_DELTA_FAR;
    if (!is_variable && place >= kept->header.base.reloc_start) {
        /* the last word's address is in the prefix */
        bool is_last_word = kept->header.base.len != 0 && place == kept->header.base.len - 4;
        return is_last_word ? kept->header.target.len - 4 : place;
    }
    uint32_t learned = nearest_learned(is_variable ? &kept->variables : &kept->places, even, &learned_gap);
    uint32_t mapped = learned_gap == 0 || is_variable ? 0 : nearest_segment(kept, even, &gap);
    if (learned_gap == 0) {
        *confidence = OTA_DELTA_LEARNED;
    } else if (gap == 0) {
        *confidence = OTA_DELTA_COVERED;
    } else if (learned_gap < gap || gap < NEAR_LEN) {
        *confidence = OTA_DELTA_NEAR;
    }
    return place + (learned_gap < gap && gap != 0 ? learned : mapped);
}

void ota_delta_map_learn(struct ota_delta_kept *kept, uint32_t place, uint32_t target_place) {
    bool is_variable = place >= OTA_DELTA_RAM_START;
    struct ota_delta_memory *memory = is_variable ? &kept->variables : &kept->places;
    uint32_t even = place & ~1u, i = 0;
    if (!is_variable && place >= kept->header.base.reloc_start) return;
    while (i < memory->len && memory->learned[i].place != even) i++;
    if (i == OTA_DELTA_LEARNED_MAX) {
        i = memory->oldest;
        memory->oldest = (uint8_t)((i + 1) % OTA_DELTA_LEARNED_MAX);
    } else if (i == memory->len) {
        memory->len++;
    }
    memory->learned[i] = (struct ota_delta_learned){even, target_place - place};
}
