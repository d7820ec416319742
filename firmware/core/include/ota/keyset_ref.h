/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OTA_KEYSET_REF_H
#define OTA_KEYSET_REF_H

#include <stdint.h>

#include "ota/cbor.h"
#include "ota/sha256.h"
#include "ota/status.h"

/* Where a newer key set is to be had: docs/spec/device_protocol.md section 1.2. */
enum { OTA_KEYSET_REF_MAX = 3 }; /* at once; the rest of a longer chain comes when these are accepted */

struct ota_keyset_ref {
    uint32_t version;
    uint32_t len; /* as claimed */
    uint8_t digest[OTA_SHA256_LEN];
};

/* Reads an array of up to OTA_KEYSET_REF_MAX references with rising versions: OTA_ERR_MESSAGE. */
OTA_MUST_CHECK enum ota_status ota_keyset_refs_read(struct ota_cbor_reader *reader, struct ota_keyset_ref *refs,
                                                    uint32_t *count);

#endif
