/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MUSTER_DELTA_APPLY_H
#define MUSTER_DELTA_APPLY_H

#include <stdint.h>

#include "ota/delta.h"

/* Applies a patch with the device's decoder, pushed in pieces of `piece_len` bytes (0: at once). The target needs
 * OTA_DELTA_LENGTH_MAX bytes of room at most; `target_len` receives its length. */
enum ota_status muster_delta_apply(const uint8_t *base, const struct ota_delta_base *base_facts, const uint8_t *patch,
                                   uint32_t patch_len, uint32_t piece_len, uint8_t *target, uint32_t target_size,
                                   uint32_t *target_len);

#endif
