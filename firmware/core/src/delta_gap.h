/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OTA_DELTA_GAP_H
#define OTA_DELTA_GAP_H

#include "ota/delta.h"

/* Between the segments of the map: docs/spec/patch.md section 9. At each halfword the patch says whether a copy begins;
 * else it says the halfword, or two. */

enum ota_delta_op {
    OTA_DELTA_OP_LITERAL = 0,
    OTA_DELTA_OP_COPY = 1,
};

/* One literal unit; or, and then it returns true, the length of a copy that ends before `end`. */
bool ota_delta_gap_step(struct ota_delta *delta, uint32_t end);

#endif
