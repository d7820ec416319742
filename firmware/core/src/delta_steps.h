/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OTA_DELTA_STEPS_H
#define OTA_DELTA_STEPS_H

#include "ota/delta.h"

/* The decoder's states: one function for each. The encoder takes the same steps (delta_range.h).
 *
 *   HEADER -> MAP -> [TABLE] -> GAP -> [COPY_SOURCE] -> COPY
 *             |  ^              |  ^                     |
 *             v  |              |  +---------------------+
 *          MAP_SOURCE           +-> COMPLETE -> WRITTEN -> FINISHED (by ota_delta_finish)
 */
enum ota_delta_state {
    OTA_DELTA_STATE_HEADER = 0,
    OTA_DELTA_STATE_MAP = 1,         /* place and length of a segment, or the end of the map */
    OTA_DELTA_STATE_MAP_SOURCE = 2,  /* its source */
    OTA_DELTA_STATE_TABLE = 3,       /* one relocated word per step */
    OTA_DELTA_STATE_GAP = 4,         /* between map segments: a literal unit, or a copy's length */
    OTA_DELTA_STATE_COPY_SOURCE = 5, /* its source */
    OTA_DELTA_STATE_COPY = 6,        /* one unit per step */
    OTA_DELTA_STATE_COMPLETE = 7,    /* derived fields and comparison */
    OTA_DELTA_STATE_WRITTEN = 8,
    OTA_DELTA_STATE_FINISHED = 9,
};

/* A saved state ends with the CRC-32 of what is before it. */
enum { OTA_DELTA_SAVED_CRC_LEN = 4 };

OTA_MUST_CHECK enum ota_status ota_delta_step(struct ota_delta *delta);

/* Where a module with a base is linked to, it says itself. */
OTA_MUST_CHECK enum ota_status ota_delta_read_load_base(struct ota_delta *delta);

/* What profile the header names is checked against the memory there is. */
uint32_t ota_delta_counters_of(uint32_t profile);

#endif
