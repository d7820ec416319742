/* SPDX-License-Identifier: Apache-2.0 */
#include "delta_place.h"

#include "delta_bits.h"

/* Index of `value` among recent ones; `count` when it is not there. */
static uint32_t find(const uint32_t *recent, uint32_t count, uint32_t value) {
    uint32_t index = 0;
    while (OTA_DELTA_ENCODES && index < count && recent[index] != value) index++;
    return index;
}

void ota_delta_move_to_front(uint32_t *recent, uint32_t index, uint32_t value) {
    for (; index > 0; index--) recent[index] = recent[index - 1];
    recent[0] = value;
}

static uint32_t take_index(struct ota_delta *delta, uint32_t counter, uint32_t count, uint32_t wanted) {
    uint32_t index = 0;
    while (index < count - 1 && ota_delta_bit(delta, counter + index, wanted > index) != 0) index++;
    return index;
}

uint32_t ota_delta_place_near(struct ota_delta *delta, enum ota_delta_number kind, uint32_t predicted,
                              uint32_t wanted) {
    /* half of the difference as a signed number */
    uint32_t half = (wanted - predicted) >> 1 | ((wanted - predicted) & 0x80000000);
    return predicted + 2 * ota_delta_signed(delta, kind, half);
}

static uint32_t take_recent_or_near(struct ota_delta *delta, uint32_t predicted, uint32_t wanted, uint32_t *index) {
    uint32_t *recent = delta->kept.recent_places;
    *index = find(recent, OTA_DELTA_RECENT_PLACES, wanted);
    if (ota_delta_bit(delta, OTA_DELTA_AT_SAME_PLACE, *index < OTA_DELTA_RECENT_PLACES) != 0) {
        *index = take_index(delta, OTA_DELTA_AT_WHICH_PLACE, OTA_DELTA_RECENT_PLACES, *index);
        return recent[*index];
    }
    *index = OTA_DELTA_RECENT_PLACES - 1;
    return ota_delta_place_near(delta, OTA_DELTA_NUMBER_PLACE, predicted, wanted);
}

uint32_t ota_delta_place(struct ota_delta *delta, uint32_t predicted, uint32_t from, uint32_t wanted) {
    uint32_t *places = delta->kept.recent_places, *distances = delta->kept.recent_distances;
    uint32_t at_place = OTA_DELTA_RECENT_PLACES - 1, at_distance = OTA_DELTA_RECENT_DISTANCES - 1, place;
    uint32_t wanted_distance = find(distances, OTA_DELTA_RECENT_DISTANCES, wanted - from);
    if (from != OTA_DELTA_NOWHERE &&
        ota_delta_bit(delta, OTA_DELTA_AT_SAME_DISTANCE, wanted_distance < OTA_DELTA_RECENT_DISTANCES) != 0) {
        at_distance = take_index(delta, OTA_DELTA_AT_WHICH_DISTANCE, OTA_DELTA_RECENT_DISTANCES, wanted_distance);
        place = from + distances[at_distance];
    } else {
        place = take_recent_or_near(delta, predicted, wanted, &at_place);
    }
    ota_delta_move_to_front(places, at_place, place);
    if (from != OTA_DELTA_NOWHERE) ota_delta_move_to_front(distances, at_distance, place - from);
    return place;
}
