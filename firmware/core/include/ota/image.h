/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OTA_IMAGE_H
#define OTA_IMAGE_H

#include <stdint.h>

#include "ota/flash.h"
#include "ota/keyset.h"
#include "ota/manifest.h"
#include "ota/reloc.h"
#include "ota/status.h"

/* An image in a slot: docs/spec/image.md. Offsets are into the image, contents in canonical form. */
enum {
    OTA_IMAGE_PREFIX_AT = 0x184,
    OTA_IMAGE_BODY_AT = 0x19C, /* lowest reloc_start */
    OTA_IMAGE_EXT_LEN = 512,
    OTA_IMAGE_TAIL_LEN = OTA_IMAGE_EXT_LEN + 44, /* from ext_start to the end */
    OTA_IMAGE_MIN_LEN = OTA_IMAGE_BODY_AT + 4 + OTA_IMAGE_TAIL_LEN,
    OTA_IMAGE_SIGNATURES_MAX = 4,
};

/* Having one means: checks 1 to 5 of docs/spec/image.md section 6 passed. Not that its bytes are whole or signed. */
struct ota_image {
    const struct ota_flash *flash;
    uint32_t slot_addr;
    uint32_t len;
    struct ota_manifest manifest;
    uint8_t identity[OTA_IDENTITY_LEN];
    uint16_t manifest_len;
    uint8_t signature_count;
    struct ota_reloc reloc;
};

/* What this device asks of an image. */
struct ota_image_requirements {
    uint16_t product_id;
    uint16_t platform_id;
    uint16_t hw_rev;
    uint16_t bootloader_version;
    uint32_t security_counter;       /* lowest that is accepted */
    uint8_t lifecycle;               /* enum ota_lifecycle */
    const struct ota_keyset *keyset; /* NULL: none, so no signature counts */
};

/* Checks 1 to 5. `image` is valid only on OTA_OK. */
OTA_MUST_CHECK enum ota_status ota_image_open(const struct ota_flash *flash, uint32_t slot_addr,
                                              struct ota_image *image);

/* Copies canonical bytes: relocation is undone in slot B. OTA_ERR_FLASH_RANGE outside the image. */
OTA_MUST_CHECK enum ota_status ota_image_read(struct ota_image *image, uint32_t off, void *out, uint32_t len);

/* Check 6: body hash, SHA-256 and CRC, in one pass over the image. */
OTA_MUST_CHECK enum ota_status ota_image_check_hash(struct ota_image *image);

/* Check 7 on an open image whose hash holds. */
OTA_MUST_CHECK enum ota_status ota_image_check_requirements(struct ota_image *image,
                                                            const struct ota_image_requirements *requirements);

/* Open, check 6, check 7. `image` is valid when open passed. */
OTA_MUST_CHECK enum ota_status ota_image_check_full(const struct ota_flash *flash, uint32_t slot_addr,
                                                    const struct ota_image_requirements *requirements,
                                                    struct ota_image *image);

/* Open, check 6, identity equal to the pinned one (OTA_ERR_IDENTITY). */
OTA_MUST_CHECK enum ota_status ota_image_check_pinned(const struct ota_flash *flash, uint32_t slot_addr,
                                                      const uint8_t identity[OTA_IDENTITY_SHORT_LEN],
                                                      struct ota_image *image);

#endif
