/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OTA_DELTA_MAP_H
#define OTA_DELTA_MAP_H

#include "ota/delta.h"

/* Where code and data of the base went: docs/spec/patch.md section 6. The map lists the long copies, which come before
 * everything else in the stream; what it does not know is learned from references that were mispredicted. Places are
 * offsets below the end of the code; distances are target minus base, modulo 2^32. */

enum {
    OTA_DELTA_RAM_START = 0x20000000,
    OTA_DELTA_RAM_LEN = 0x20000,
};

/* How sure a mapped place is. */
enum ota_delta_confidence {
    OTA_DELTA_FAR = 0,     /* outside every segment, or outside the image */
    OTA_DELTA_NEAR = 1,    /* near a segment, or near a learned place */
    OTA_DELTA_COVERED = 2, /* inside a segment */
    OTA_DELTA_LEARNED = 3, /* this very place was learned */
};

struct ota_delta_segment ota_delta_map_segment(const struct ota_delta_kept *kept, uint32_t index);

/* Adds the pending segment behind the others, in target order. */
void ota_delta_map_add(struct ota_delta_kept *kept);

/* Where `place` of the base is in the target; kept.prediction.confidence receives how sure that is. Places from
 * OTA_DELTA_RAM_START on are addresses of variables, of which the map knows nothing. */
uint32_t ota_delta_map_place(struct ota_delta_kept *kept, uint32_t place);

/* `place` of the base turned out to be `target_place`. */
void ota_delta_map_learn(struct ota_delta_kept *kept, uint32_t place, uint32_t target_place);

#endif
