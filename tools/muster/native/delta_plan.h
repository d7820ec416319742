/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MUSTER_DELTA_PLAN_H
#define MUSTER_DELTA_PLAN_H

#include "ota/delta.h"

/* A plan says how to make the target: operations in the order of docs/spec/patch.md section 3, none of which crosses
 * the end of a part. The plan decides how small a patch gets, never whether it is right. */

struct muster_operation {
    uint32_t kind;     /* enum ota_delta_operation */
    uint32_t position; /* first byte that it makes, counted in output order */
    uint32_t len;
    uint32_t source; /* base offset, or position of the copied bytes */
};

/* The two images as the planner and the coder see them. */
struct muster_pair {
    const struct ota_delta_header *header;
    const uint8_t *base;
    const uint8_t *target;     /* in output order */
    const uint8_t *is_derived; /* 1: the decoder recomputes this byte; in output order */
};

/* Fills `operations` (room for `target_len` of them). Returns how many, or -1 when memory is short. */
int64_t muster_delta_plan(const struct muster_pair *pair, struct muster_operation *operations);

#endif
