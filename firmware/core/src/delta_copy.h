/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OTA_DELTA_COPY_H
#define OTA_DELTA_COPY_H

#include "ota/delta.h"

/* Where copies come from: docs/spec/patch.md sections 6 and 9. A copy's shift is its source less its target, modulo
 * 2^32; sources lie in the history: the base's body, and behind it the target's. */

/* One map segment, behind the last one: first its place and length, then its source; then it is in the map. */
void ota_delta_map_step(struct ota_delta *delta);
void ota_delta_map_source_step(struct ota_delta *delta);

/* A copy at the current position, which ends before `end`: first its length, then its source; then it begins. */
void ota_delta_copy_len(struct ota_delta *delta, uint32_t end);
void ota_delta_copy_source_step(struct ota_delta *delta);

/* Begins the copy of the next map segment, at the current position. */
void ota_delta_copy_begin_segment(struct ota_delta *delta);

/* Before the first operation: forgets the shifts of the map segments. */
void ota_delta_copy_reset(struct ota_delta *delta);

#endif
