/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OTA_DELTA_TABLE_H
#define OTA_DELTA_TABLE_H

#include "ota/delta.h"

/* The target's relocation table: docs/spec/patch.md section 7. It is predicted from the base's and the map, so that an
 * image whose code has moved pays for its pointers hardly at all; from then on both sides know every pointer. */

/* Before the first step. */
void ota_delta_table_begin(struct ota_delta *delta);

/* Where the relocated word of the base that comes next would be in the target: then table.from is that word; UINT32_MAX
 * when there is none. */
uint32_t ota_delta_table_predict(struct ota_delta *delta);

/* One relocated word; true when the table has been written. */
bool ota_delta_table_step(struct ota_delta *delta);

/* The table has been written, or the decoder has been resumed behind it. */
void ota_delta_pointers_begin(struct ota_delta *delta);

/* Makes kept.next_pointer the first known pointer of the target at the current position or behind it. */
void ota_delta_find_pointer(struct ota_delta *delta);

/* The same, where the last one has been passed. */
static inline void ota_delta_pass_pointer(struct ota_delta *delta) {
    if (delta->kept.next_pointer < delta->kept.position) ota_delta_find_pointer(delta);
}

#endif
