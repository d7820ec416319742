/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OTA_DELTA_PREDICT_H
#define OTA_DELTA_PREDICT_H

#include "delta_source.h"
#include "delta_thumb.h"
#include "ota/delta.h"

/* What a copy will probably make of the next two or four bytes of its source: docs/spec/patch.md section 8. The
 * prediction looks at source bytes, the map and the kept state only: both sides make the same. */

/* Kinds of units, by how they are predicted. A class that names places is followed by the one for predictions that
 * differ from the source. */
enum ota_delta_class {
    OTA_DELTA_PLAIN = 0,
    OTA_DELTA_SUBSTITUTED = 1, /* a plain halfword that was replaced before */
    OTA_DELTA_CALL = 2,        /* BL */
    OTA_DELTA_BRANCH = 4,      /* B.W */
    OTA_DELTA_POINTER = 6,     /* a word that holds an address of the image */
    OTA_DELTA_VARIABLE = 8,    /* one that seems to hold an address in RAM */
    OTA_DELTA_SHORT = 10,      /* B, B<c>, CBZ of one halfword */
    OTA_DELTA_LOAD = 12,       /* LDR (literal), ADR */
    OTA_DELTA_ODD = 14,        /* source at an odd distance: text and tables */
};

/* Whether units of this class name a place; and whether they have room to name any place. */
static inline bool ota_delta_class_names(uint32_t class) { return class >= OTA_DELTA_CALL && class < OTA_DELTA_ODD; }
static inline bool ota_delta_class_names_far(uint32_t class) {
    return class >= OTA_DELTA_CALL && class < OTA_DELTA_SHORT;
}

/* Makes kept.prediction that of the next unit of the copy in progress; `source` is its source_view(). */
void ota_delta_predict(struct ota_delta *delta, const uint8_t *source);

#endif
