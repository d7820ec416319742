/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MUSTER_DELTA_ENCODER_H
#define MUSTER_DELTA_ENCODER_H

#include "ota/delta.h"

/* Writes the coded stream of a patch (what follows its header) to `out`, and its length to `out_len`. The header's
 * fields must hold, `base` and `target` be as long as it says, and the target's derived fields be right: the caller
 * checks.
 * OTA_ERR_BUFFER: more than `out_size` bytes, or memory is short. Equal inputs give equal bytes. */
OTA_MUST_CHECK enum ota_status muster_delta_encode(const struct ota_delta_header *header, const uint8_t *base,
                                                   const uint8_t *target, uint8_t *out, uint32_t out_size,
                                                   uint32_t *out_len);

#endif
