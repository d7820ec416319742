/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MUSTER_DELTA_APPLY_H
#define MUSTER_DELTA_APPLY_H

#include "ota/delta.h"

/* Applies a patch between buffers with the device's decoder. `target` has room for `target_size` bytes; `target_len`
 * receives the length. `piece_len`: how many bytes are pushed at a time, 0 for all at once. The base's identity is
 * compared by the caller, who knows its kind; its length is compared here (OTA_ERR_PATCH_BASE). */
OTA_MUST_CHECK enum ota_status muster_delta_apply(const uint8_t *base, uint32_t base_len, const uint8_t *patch,
                                                  uint32_t patch_len, uint32_t piece_len, uint8_t *target,
                                                  uint32_t target_size, uint32_t *target_len);

#endif
