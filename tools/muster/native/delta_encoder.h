/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MUSTER_DELTA_ENCODER_H
#define MUSTER_DELTA_ENCODER_H

#include <stdint.h>

#include "delta_segments.h"
#include "ota/delta.h"

/* Base and target of a patch, whole, in canonical form. `header` is the patch's, and belongs to them. */
struct muster_delta_pair {
    const uint8_t *header;
    uint32_t header_len;
    const uint8_t *base;
    struct ota_delta_base base_facts;
    const uint8_t *target;
};

/* Appends the stream that makes the target to out[0..out_size). OTA_ERR_BUFFER: it does not fit, or there is no
 * memory; else what the steps of the decoder found wrong with the pair. */
enum ota_status muster_delta_encode(const struct muster_delta_pair *pair, uint8_t *out, uint32_t out_size,
                                    uint32_t *out_len);

#endif
