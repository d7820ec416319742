/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OTA_DELTA_DIRECTION_H
#define OTA_DELTA_DIRECTION_H

#include "ota/delta.h"

/* The model's steps, run to read a patch. They are one source for both directions: where they ask what the patch shall
 * say next, a decoder has no wish, and what is worked out from the answer is worked out for nothing: the compiler drops
 * it. The encoder is compiled with a header of this name of its own (tools/muster/native/encode). */

enum { OTA_DELTA_ENCODES = 0 };

static inline uint32_t ota_delta_wanted_map_len(const struct ota_delta *delta) {
    (void)delta;
    return 0;
}

static inline struct ota_delta_segment ota_delta_wanted_map_segment(const struct ota_delta *delta) {
    (void)delta;
    return (struct ota_delta_segment){0};
}

static inline uint32_t ota_delta_wanted_reloc(const struct ota_delta *delta, uint32_t off) {
    (void)delta;
    (void)off;
    return 0;
}

static inline uint32_t ota_delta_wanted_run(const struct ota_delta *delta) {
    (void)delta;
    return 0;
}

static inline struct ota_delta_segment ota_delta_wanted_copy(const struct ota_delta *delta, uint32_t end) {
    (void)delta;
    (void)end;
    return (struct ota_delta_segment){0};
}

static inline uint32_t ota_delta_wanted_clean(const struct ota_delta *delta, uint32_t len) {
    (void)delta;
    (void)len;
    return 0;
}

static inline uint32_t ota_delta_wanted_bytes(const struct ota_delta *delta, uint32_t count) {
    (void)delta;
    (void)count;
    return 0;
}

#endif
