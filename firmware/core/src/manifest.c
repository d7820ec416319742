/* SPDX-License-Identifier: Apache-2.0 */
#include "ota/manifest.h"

#include <string.h>

#include "ota/cbor.h"
#include "ota/sha256.h"

enum {
    MANIFEST_ENTRIES = 10,
    MANIFEST_FORMAT = 1,
};

/* Reads the entry with this key: an unsigned integer in the range. */
static bool read_entry(struct ota_cbor_reader *reader, uint32_t key, uint32_t lowest, uint32_t highest,
                       uint32_t *value) {
    return ota_cbor_read_key(reader, key) && ota_cbor_read_range(reader, lowest, highest, value);
}

static bool read_entry_u16(struct ota_cbor_reader *reader, uint32_t key, uint32_t lowest, uint32_t highest,
                           uint16_t *value) {
    uint32_t wide;
    if (!read_entry(reader, key, lowest, highest, &wide)) return false;
    *value = (uint16_t)wide;
    return true;
}

static bool read_hw_revs(struct ota_cbor_reader *reader, struct ota_manifest *manifest) {
    uint32_t count, lowest, highest;
    if (!ota_cbor_read_key(reader, 5) || !ota_cbor_read_array(reader, &count) || count != 2) return false;
    if (!ota_cbor_read_range(reader, 0, UINT16_MAX, &lowest)) return false;
    if (!ota_cbor_read_range(reader, lowest, UINT16_MAX, &highest)) return false;
    manifest->hw_rev_lowest = (uint16_t)lowest;
    manifest->hw_rev_highest = (uint16_t)highest;
    return true;
}

enum ota_status ota_manifest_parse(const uint8_t *untrusted, uint32_t len, struct ota_manifest *manifest) {
    struct ota_cbor_reader reader;
    struct ota_span body_hash;
    uint32_t count, format;

    if (len > OTA_MANIFEST_MAX_LEN) return OTA_ERR_MANIFEST;
    ota_cbor_reader_init(&reader, untrusted, len);
    if (ota_cbor_read_map(&reader, &count) && count == MANIFEST_ENTRIES &&
        read_entry(&reader, 1, MANIFEST_FORMAT, MANIFEST_FORMAT, &format) &&
        read_entry_u16(&reader, 2, 1, OTA_ID_MAX, &manifest->product_id) &&
        read_entry_u16(&reader, 3, 1, OTA_ID_MAX, &manifest->product_version) &&
        read_entry_u16(&reader, 4, 0, UINT16_MAX, &manifest->platform_id) && read_hw_revs(&reader, manifest) &&
        read_entry(&reader, 6, 0, UINT32_MAX, &manifest->security_counter) &&
        read_entry(&reader, 7, 0, UINT32_MAX, &manifest->reloc_start) &&
        read_entry(&reader, 8, 0, UINT32_MAX, &manifest->ext_start) && ota_cbor_read_key(&reader, 9) &&
        ota_cbor_read_bytes(&reader, &body_hash) && body_hash.len == sizeof manifest->body_hash &&
        read_entry_u16(&reader, 10, 0, UINT16_MAX, &manifest->min_bootloader_version) &&
        ota_cbor_reader_at_end(&reader)) {
        manifest->body_hash_at = (uint8_t)(body_hash.bytes - untrusted);
        memcpy(manifest->body_hash, body_hash.bytes, sizeof manifest->body_hash);
        return OTA_OK;
    }
    return OTA_ERR_MANIFEST;
}

void ota_manifest_identity(const uint8_t *manifest_bytes, uint32_t len, uint8_t identity[OTA_IDENTITY_LEN]) {
    ota_sha256_digest(manifest_bytes, len, identity);
}
