/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OTA_DELTA_OUTPUT_H
#define OTA_DELTA_OUTPUT_H

#include "delta_kinds.h"
#include "ota/delta.h"
#include "ota/image.h"
#include "ota/manifest.h"

/* The target as it grows: docs/spec/patch.md section 3. The *body* is an image without its relocation table; a
 * *position* counts body bytes, an *offset* bytes of the image. Where there is no table they are the same. */

/* Whether base and target are images of docs/spec/image.md. */
static inline bool ota_delta_is_image(const struct ota_delta_header *header) {
    return OTA_DELTA_ONLY_IMAGES || header->kind == OTA_DELTA_IMAGE;
}

/* Length of the relocation table; 0 where the kind has none. */
uint32_t ota_delta_table_len(const struct ota_delta_header *header, const struct ota_delta_layout *layout);

uint32_t ota_delta_body_len(const struct ota_delta_header *header, const struct ota_delta_layout *layout);

/* The first failure stays, and ends the decoder behind the step at hand. What the step still works out is worth
 * nothing, but stays inside the decoder's memory; the port is not called again. */
void ota_delta_fail(struct ota_delta *delta, enum ota_status status);

/* Hands bytes of the target to the port, in pieces. */
void ota_delta_write(struct ota_delta *delta, uint32_t off, const uint8_t *bytes, uint32_t len);

/* Adds `count` (1 to 4) bytes, the lowest of `value` first, to the target's body. */
void ota_delta_put(struct ota_delta *delta, uint32_t value, uint32_t count);

/* Offers a checkpoint when one is due. Called between two steps. */
void ota_delta_checkpoint_if_due(struct ota_delta *delta);

/* Copies body bytes: of the base, or of what has been put. The range must exist. */
void ota_delta_read_body(struct ota_delta *delta, bool is_base, uint32_t position, uint8_t *out, uint32_t len);
OTA_MUST_CHECK enum ota_status ota_delta_read_target_body(const struct ota_delta *delta, uint32_t position,
                                                          uint8_t *out, uint32_t len);

/* Offsets in an image's tail: fields that the decoder works out. */
enum {
    OTA_DELTA_MANIFEST_AT = 4,                          /* behind the head of its entry */
    OTA_DELTA_PRODUCT_DATA_IDS = OTA_IMAGE_EXT_LEN - 8, /* product id and version, as the manifest has them */
    OTA_DELTA_SUFFIX_IDS = OTA_IMAGE_EXT_LEN,           /* the same */
};

/* The manifest in an image's tail. OTA_ERR_IDENTITY: there is none. */
OTA_MUST_CHECK enum ota_status ota_delta_open_manifest(const uint8_t *tail, struct ota_manifest *manifest);

/* The body is complete: computes the derived fields, compares the target's check, writes the rest. */
void ota_delta_complete(struct ota_delta *delta);

#endif
