/* SPDX-License-Identifier: Apache-2.0 */
#include "ota/keyset_ref.h"

#include <string.h>

static bool read_ref(struct ota_cbor_reader *reader, uint32_t lowest_version, struct ota_keyset_ref *ref) {
    uint32_t count;
    struct ota_span digest;
    if (!ota_cbor_read_array(reader, &count) || count != 3) return false;
    if (!ota_cbor_read_range(reader, lowest_version, UINT32_MAX, &ref->version)) return false;
    if (!ota_cbor_read_bytes(reader, &digest) || digest.len != sizeof ref->digest) return false;
    memcpy(ref->digest, digest.bytes, sizeof ref->digest);
    return ota_cbor_read_range(reader, 1, UINT32_MAX, &ref->len);
}

enum ota_status ota_keyset_refs_read(struct ota_cbor_reader *reader, struct ota_keyset_ref *refs, uint32_t *count) {
    uint32_t last_version = 0;
    if (!ota_cbor_read_array(reader, count) || *count > OTA_KEYSET_REF_MAX) return OTA_ERR_MESSAGE;
    for (uint32_t i = 0; i < *count; i++) {
        if (last_version == UINT32_MAX || !read_ref(reader, last_version + 1, &refs[i])) return OTA_ERR_MESSAGE;
        last_version = refs[i].version;
    }
    return OTA_OK;
}
