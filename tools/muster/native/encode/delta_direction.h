/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OTA_DELTA_DIRECTION_H
#define OTA_DELTA_DIRECTION_H

#include "ota/delta.h"

/* The model's steps, run to write a patch: firmware/core/src/decode/delta_direction.h is the other direction. They ask
 * here what the patch shall say next, and hand each decision what is wanted of it (delta_range.h). */

enum { OTA_DELTA_ENCODES = 1 };

/* Number of map segments, and the next of them. */
uint32_t ota_delta_wanted_map_len(const struct ota_delta *delta);
struct ota_delta_segment ota_delta_wanted_map_segment(const struct ota_delta *delta);

/* The first relocated word of the target at `off` or behind it; reloc_start when there is none. */
uint32_t ota_delta_wanted_reloc(const struct ota_delta *delta, uint32_t off);

/* How many relocated words in a row are as predicted, or OTA_DELTA_RUN_ALL: all that are left. */
uint32_t ota_delta_wanted_run(const struct ota_delta *delta);

/* The first copy outside the map that begins at the current position or behind it; its length is 0 when there is none
 * before `end`. */
struct ota_delta_segment ota_delta_wanted_copy(const struct ota_delta *delta, uint32_t end);

/* Whether the next `len` bytes, which the copy in progress makes, are all as predicted. */
uint32_t ota_delta_wanted_clean(const struct ota_delta *delta, uint32_t len);

/* The next `count` (1 to 4) bytes of the target's body, the first in the lowest byte. */
uint32_t ota_delta_wanted_bytes(const struct ota_delta *delta, uint32_t count);

#endif
