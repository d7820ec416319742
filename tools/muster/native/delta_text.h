/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MUSTER_DELTA_TEXT_H
#define MUSTER_DELTA_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "delta_segments.h"

/* Base and target as one text: the base from 0 on, the target from `origin` on. Between them is a gap, so that no run
 * leads from one into the other. Both begin at a multiple of four. */
struct muster_text {
    uint32_t base_len;
    uint32_t target_len;
    uint32_t origin;
    uint32_t len;
    uint8_t *raw;
    uint8_t *normal;    /* without what changes when code moves: equal here means equal but for references */
    uint8_t *kind;      /* enum muster_reference, and MUSTER_TEXT_REST in all but the first two bytes of a reference */
    uint32_t *referred; /* per two bytes: the image offset that the reference beginning there means */
};

enum {
    MUSTER_TEXT_REST = 0x80,
    MUSTER_TEXT_KIND = 0x03,
    MUSTER_TEXT_PADDING = 16, /* readable zero bytes behind the text */
};

#define MUSTER_NOWHERE UINT32_MAX

/* False when memory is short; muster_text_free() is then to be called all the same. */
bool muster_text_init(struct muster_text *text, const struct muster_alignment *alignment);
void muster_text_free(struct muster_text *text);

static inline uint32_t muster_text_halfword(const struct muster_text *text, uint32_t at) {
    return (uint32_t)text->raw[at] | (uint32_t)text->raw[at + 1] << 8;
}

/* Whether the byte at `source` is known when target byte `position` is made. */
static inline bool muster_text_readable(const struct muster_text *text, uint32_t source, uint32_t position) {
    return source < text->base_len || (source >= text->origin && source - text->origin < position);
}

/* How many bytes from `a` and `b` on are equal in `bytes`, at most `limit`. */
uint32_t muster_text_common(const uint8_t *a, const uint8_t *b, uint32_t limit);

#endif
