/* SPDX-License-Identifier: Apache-2.0 */
#include "room.h"

enum {
    STEP_MS = 100,
    BOILER_MC = 60000,
    /* Time constants, in steps: how slowly one temperature follows another. */
    RADIATOR_STEPS = 300,
    RADIATOR_TO_AIR_STEPS = 1200,
    AIR_TO_OUTSIDE_STEPS = 4000,
    POINTS = 8,
    POINT_MINUTES = 24 * 60 / POINTS,
};

/* Outside, every three hours from midnight, in thousandths of a degree. */
static const int16_t outside_mc[POINTS] = {3000, 2200, 2600, 6000, 9500, 9800, 7000, 4500};

static int32_t outside_at(uint32_t minute_of_day) {
    uint32_t point = minute_of_day / POINT_MINUTES % POINTS;
    int32_t from = outside_mc[point];
    int32_t to = outside_mc[(point + 1) % POINTS];
    return from + (to - from) * (int32_t)(minute_of_day % POINT_MINUTES) / POINT_MINUTES;
}

static void step(struct room *room, int32_t outside, bool is_heating) {
    int32_t supply = is_heating ? BOILER_MC : room->air_mc;
    room->radiator_mc += (supply - room->radiator_mc) / RADIATOR_STEPS;
    room->air_mc += (room->radiator_mc - room->air_mc) / RADIATOR_TO_AIR_STEPS;
    room->air_mc -= (room->air_mc - outside) / AIR_TO_OUTSIDE_STEPS;
}

void room_start(struct room *room, int32_t air_mc) {
    room->air_mc = air_mc;
    room->radiator_mc = air_mc;
    room->rest_ms = 0;
}

void room_advance(struct room *room, uint32_t elapsed_ms, uint32_t minute_of_day, bool is_heating) {
    int32_t outside = outside_at(minute_of_day);
    room->rest_ms += elapsed_ms;
    for (; room->rest_ms >= STEP_MS; room->rest_ms -= STEP_MS) step(room, outside, is_heating);
}
