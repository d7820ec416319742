/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OTA_DELTA_OUTPUT_H
#define OTA_DELTA_OUTPUT_H

#include "ota/delta.h"
#include "ota/image.h"

/* The target as it grows: order of writing, derived fields, hashes, checkpoints. A *position* counts target bytes in
 * the order in which they are written; an *offset* counts them from the image's first byte: docs/spec/patch.md
 * section 3. */

enum ota_delta_part {
    OTA_DELTA_PART_TABLE = 0,
    OTA_DELTA_PART_CODE = 1,
    OTA_DELTA_PART_TAIL = 2,
};

/* Derived fields of an image: docs/spec/image.md sections 2 and 5. The body hash is where the header says. */
enum {
    OTA_DELTA_MODULE_END_OFF = OTA_IMAGE_PREFIX_AT + 4,
    OTA_DELTA_MODULE_END_LEN = 4,
    OTA_DELTA_MODULE_SHA_FROM_END = 38,
    OTA_DELTA_CRC_FROM_END = 4,
    OTA_DELTA_CRC_LEN = 4,
};

void ota_delta_output_init(struct ota_delta *delta);

uint32_t ota_delta_position(const struct ota_delta *delta);
uint32_t ota_delta_part_end(const struct ota_delta_header *header, uint32_t part);
uint32_t ota_delta_offset(const struct ota_delta_header *header, uint32_t position);

/* Base offset less target offset, modulo 2^32, that a part's first base copy is coded against. */
uint32_t ota_delta_part_alignment(const struct ota_delta_header *header, uint32_t part);

/* Whether the byte at the current position is derived; if so, `byte` receives it. */
bool ota_delta_derived_byte(struct ota_delta *delta, uint8_t *byte);

/* Adds one byte to the target; the last thing a step does, because a checkpoint may be taken inside. */
OTA_MUST_CHECK enum ota_status ota_delta_put(struct ota_delta *delta, const struct ota_delta_port *port, uint8_t byte);

/* Ends the current part, which is complete, and begins the next one. */
OTA_MUST_CHECK enum ota_status ota_delta_part_next(struct ota_delta *delta, const struct ota_delta_port *port);

/* Copies up to `len` target bytes from `position`, which lies below the current one; at least one. Returns how many. */
OTA_MUST_CHECK enum ota_status ota_delta_read_back(const struct ota_delta *delta, const struct ota_delta_port *port,
                                                   uint32_t position, uint8_t *out, uint32_t *len);

/* Whether the whole target that was written is the one that the header names. */
OTA_MUST_CHECK enum ota_status ota_delta_identity_check(struct ota_delta *delta, const struct ota_delta_port *port);

#endif
