/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MUSTER_DELTA_MAP_CHOICE_H
#define MUSTER_DELTA_MAP_CHOICE_H

#include "delta_segments.h"
#include "delta_text.h"

/* Sets `in_map` in the segments that explain most of the references in copied code: at most `max` of them, none shorter
 * than `len_min`. False when memory is short. */
bool muster_map_choose(const struct muster_text *text, struct muster_segment *segments, uint32_t count, uint32_t max,
                       uint32_t len_min);

#endif
