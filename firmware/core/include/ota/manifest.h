/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OTA_MANIFEST_H
#define OTA_MANIFEST_H

#include <stdint.h>

#include "ota/status.h"

/* What release keys sign: docs/spec/image.md section 4.1. */
enum {
    OTA_MANIFEST_MAX_LEN = 96,
    OTA_ID_MAX = 65534, /* highest product id and product version */
    OTA_IDENTITY_LEN = 32,
    OTA_IDENTITY_SHORT_LEN = 16, /* in the boot log and in patches */
};

struct ota_manifest {
    uint16_t product_id;
    uint16_t product_version;
    uint16_t platform_id;
    uint16_t hw_rev_lowest;
    uint16_t hw_rev_highest;
    uint16_t min_bootloader_version;
    uint32_t security_counter;
    uint32_t reloc_start;
    uint32_t ext_start;
    uint8_t body_hash_at; /* in the manifest's bytes */
    uint8_t body_hash[32];
};

/* Accepts the one encoding: OTA_ERR_MANIFEST. `reloc_start` and `ext_start` are as claimed. */
OTA_MUST_CHECK enum ota_status ota_manifest_parse(const uint8_t *untrusted, uint32_t len,
                                                  struct ota_manifest *manifest);

/* SHA-256 of the manifest's bytes: what the image is called everywhere. */
void ota_manifest_identity(const uint8_t *manifest_bytes, uint32_t len, uint8_t identity[OTA_IDENTITY_LEN]);

#endif
