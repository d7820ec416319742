/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OTA_IDENTITY_PAGE_H
#define OTA_IDENTITY_PAGE_H

#include <stdint.h>

#include "ota/flash.h"
#include "ota/keyset.h"
#include "ota/status.h"

/* Identity page: docs/spec/boot.md section 2. */
enum {
    OTA_DEVICE_ID_LEN = 12,
    OTA_IDENTITY_PAGE_LEN = 512,
};

enum ota_lifecycle {
    OTA_LIFECYCLE_DEVELOPMENT = 1,
    OTA_LIFECYCLE_PRODUCTION = 2,
};

struct ota_identity_page {
    uint16_t product_id;
    uint16_t hw_rev;
    uint8_t lifecycle;                    /* enum ota_lifecycle */
    uint8_t device_id[OTA_DEVICE_ID_LEN]; /* the chip's, in a development identity that fits any chip too */
    struct ota_roots roots;
    uint8_t device_seed[OTA_ED25519_KEY_LEN]; /* secret: wipe the struct when done */
    uint8_t device_public_key[OTA_ED25519_KEY_LEN];
};

/* The first valid copy for this chip; OTA_ERR_IDENTITY_PAGE when there is none. */
OTA_MUST_CHECK enum ota_status ota_identity_page_read(const struct ota_flash *flash,
                                                      const uint8_t chip_id[OTA_DEVICE_ID_LEN],
                                                      struct ota_identity_page *page);

/* Makes identity pages of stubs: with this chip's id and the key of a fresh random `seed`, which the caller wipes.
 * Called when there is no valid copy, so that a key is made once. OTA_OK when one copy is whole; OTA_ERR_IDENTITY_PAGE:
 * there is no stub. */
OTA_MUST_CHECK enum ota_status ota_identity_page_complete(const struct ota_flash *flash,
                                                          const uint8_t chip_id[OTA_DEVICE_ID_LEN],
                                                          const uint8_t seed[OTA_ED25519_KEY_LEN]);

#endif
