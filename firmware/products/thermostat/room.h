/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ROOM_H
#define ROOM_H

#include <stdbool.h>
#include <stdint.h>

/* The room that this example heats: one heat capacity, one wall, one radiator. Temperatures in thousandths of a degree
 * Celsius. */
struct room {
    int32_t air_mc;
    int32_t radiator_mc;
    uint32_t rest_ms; /* time not yet computed */
};

void room_start(struct room *room, int32_t air_mc);

/* Lets time pass. `minute_of_day` decides how cold it is outside. */
void room_advance(struct room *room, uint32_t elapsed_ms, uint32_t minute_of_day, bool is_heating);

#endif
