/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MUSTER_DELTA_TRACE_H
#define MUSTER_DELTA_TRACE_H

#include <stdbool.h>
#include <stdint.h>

#include "ota/delta.h"

/* What bits are spent on; muster.delta.trace.Coding in the same order. */
enum muster_delta_coding {
    MUSTER_DELTA_MAP = 0,
    MUSTER_DELTA_TABLE = 1,
    MUSTER_DELTA_LITERAL = 2,
    MUSTER_DELTA_BRANCH = 3,
    MUSTER_DELTA_POINTER = 4,
    MUSTER_DELTA_MISS = 5,
    MUSTER_DELTA_HIT = 6,
    MUSTER_DELTA_COPY = 7,
    MUSTER_DELTA_TAIL = 8,
};

enum { MUSTER_DELTA_TRACE_BIT = 65536 }; /* costs are in these parts of a bit */

/* Bits spent for the target bytes [off, off + len); for what makes no byte itself, len is 0. */
struct muster_delta_spent {
    uint64_t cost;
    uint32_t off;
    uint32_t len;
    uint8_t coding; /* enum muster_delta_coding */
};

/* A copy, or the part of one that does not cross a relocation table. Offsets are of images. */
struct muster_delta_copied {
    uint32_t target;
    uint32_t source;
    uint32_t len;
    bool from_target;
    bool in_map;
};

/* In the order of the stream. */
struct muster_delta_trace {
    uint32_t header_len;
    uint32_t spent_len;
    uint32_t spent_size;
    struct muster_delta_spent *spent;
    uint32_t copied_len;
    uint32_t copied_size;
    struct muster_delta_copied *copied;
};

/* Decodes a patch and says what each of the decoder's steps took from the stream. `target` has room for `target_size`
 * bytes. The statuses are those of muster_delta_apply(), and OTA_ERR_BUFFER when memory is short; the trace is then
 * what was found so far. The caller ends with muster_delta_trace_free(). */
enum ota_status muster_delta_trace(const uint8_t *base, const struct ota_delta_base *base_facts, const uint8_t *patch,
                                   uint32_t patch_len, uint8_t *target, uint32_t target_size,
                                   struct muster_delta_trace *trace);

void muster_delta_trace_free(struct muster_delta_trace *trace);

#endif
