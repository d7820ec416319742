/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MUSTER_DELTA_BUFFERS_H
#define MUSTER_DELTA_BUFFERS_H

#include "ota/delta.h"

/* What a decoder reads and writes, in memory. */
struct muster_buffers {
    const uint8_t *base;
    uint32_t base_len;
    uint8_t *target;
    uint32_t target_size; /* room; a longer target is refused */
    uint32_t target_len;  /* of the target that the patch's header names; 0 before it was read */
};

struct ota_delta_port muster_buffers_port(struct muster_buffers *buffers);

#endif
