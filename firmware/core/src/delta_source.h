/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OTA_DELTA_SOURCE_H
#define OTA_DELTA_SOURCE_H

#include "ota/delta.h"

/* Source bytes of copies, through a small window. A source is a place in the history: the base's body, then the
 * target's as far as it has been made. */

enum {
    OTA_DELTA_VIEW_BEFORE = 4, /* bytes before the unit that predictions look at */
    OTA_DELTA_VIEW_BEHIND = 8, /* bytes from its first on */
};

/* Before the first unit of a copy. */
void ota_delta_source_begin(struct ota_delta *delta);

/* The byte at `source`, which exists. Around it those from result[-kept.view_before] to result[kept.view_behind - 1]
 * may be read; kept.view_place is its position in its own body. */
const uint8_t *ota_delta_source_view(struct ota_delta *delta, uint32_t source);

#endif
