/* SPDX-License-Identifier: Apache-2.0 */
#include "ota/keyset.h"

#include <stddef.h>
#include <string.h>

#include "ota/cbor.h"
#include "ota/cose.h"

enum {
    KEYSET_ENTRIES = 8,
    KEYSET_FORMAT = 1,
};

static const uint8_t keyset_aad[] = {'m', 'u', 's', 't', 'e', 'r', '.', 'k', 'e', 'y', 's', 'e', 't'};

/* A key set taken apart: COSE_Sign1 follow each other without anything between. */
struct keyset_parts {
    struct ota_span payload;
    const uint8_t *signatures;
    uint32_t signature_count;
};

static bool split(const uint8_t *untrusted, uint32_t len, struct keyset_parts *parts) {
    struct ota_cbor_reader reader;
    uint32_t count;
    if (len > OTA_KEYSET_MAX_LEN) return false;
    ota_cbor_reader_init(&reader, untrusted, len);
    if (!ota_cbor_read_array(&reader, &count) || count != 2) return false;
    if (!ota_cbor_read_bytes(&reader, &parts->payload)) return false;
    if (!ota_cbor_read_array(&reader, &count) || count < 1 || count > OTA_ROOTS_MAX) return false;
    if (reader.len != count * OTA_COSE_SIGN1_LEN) return false;
    parts->signatures = reader.untrusted;
    parts->signature_count = count;
    for (uint32_t i = 0; i < count; i++) {
        const uint8_t *sign1 = parts->signatures + i * OTA_COSE_SIGN1_LEN;
        if (!ota_cose_sign1_has_form(sign1)) return false;
        if (i > 0 && !ota_cose_key_ids_rise(sign1 - OTA_COSE_SIGN1_LEN, sign1)) return false;
    }
    return true;
}

/* The entry `key`: an array of `lowest` to `highest` public keys, rising. */
static bool read_keys(struct ota_cbor_reader *reader, uint32_t key, uint32_t lowest, uint32_t highest, uint8_t *keys,
                      uint8_t *key_count) {
    uint32_t count;
    if (!ota_cbor_read_key(reader, key) || !ota_cbor_read_array(reader, &count)) return false;
    if (count < lowest || count > highest) return false;
    for (uint32_t i = 0; i < count; i++) {
        struct ota_span bytes;
        uint8_t *place = keys + i * OTA_ED25519_KEY_LEN;
        if (!ota_cbor_read_bytes(reader, &bytes) || bytes.len != OTA_ED25519_KEY_LEN) return false;
        if (i > 0 && memcmp(place - OTA_ED25519_KEY_LEN, bytes.bytes, OTA_ED25519_KEY_LEN) >= 0) return false;
        memcpy(place, bytes.bytes, OTA_ED25519_KEY_LEN);
    }
    *key_count = (uint8_t)count;
    return true;
}

static bool read_threshold(struct ota_cbor_reader *reader, uint32_t key, uint32_t highest, uint8_t *threshold) {
    uint32_t value;
    if (!ota_cbor_read_key(reader, key) || !ota_cbor_read_range(reader, 1, highest, &value)) return false;
    *threshold = (uint8_t)value;
    return true;
}

static bool parse_payload(struct ota_span payload, struct ota_keyset *keyset) {
    struct ota_cbor_reader reader;
    struct ota_roots *roots = &keyset->next_roots;
    uint32_t count;
    memset(keyset, 0, sizeof *keyset);
    ota_cbor_reader_init(&reader, payload.bytes, payload.len);
    return ota_cbor_read_map(&reader, &count) && count == KEYSET_ENTRIES && ota_cbor_read_key(&reader, 1) &&
           ota_cbor_read_key(&reader, KEYSET_FORMAT) && ota_cbor_read_key(&reader, 2) &&
           ota_cbor_read_range(&reader, 1, UINT32_MAX, &keyset->version) &&
           read_threshold(&reader, 3, OTA_KEYSET_RELEASE_MAX, &keyset->release_threshold) &&
           read_keys(&reader, 4, 1, OTA_KEYSET_RELEASE_MAX, keyset->release[0], &keyset->release_count) &&
           read_keys(&reader, 5, 0, OTA_KEYSET_ONLINE_MAX, keyset->online[0], &keyset->online_count) &&
           read_keys(&reader, 6, 0, OTA_KEYSET_DEVELOPMENT_MAX, keyset->development[0], &keyset->development_count) &&
           read_threshold(&reader, 7, OTA_ROOTS_MAX, &roots->threshold) &&
           read_keys(&reader, 8, 1, OTA_ROOTS_MAX, roots->keys[0], &roots->count) && ota_cbor_reader_at_end(&reader) &&
           keyset->release_threshold <= keyset->release_count && roots->threshold <= roots->count;
}

enum ota_status ota_keyset_parse(const uint8_t *untrusted, uint32_t len, struct ota_keyset *keyset) {
    struct keyset_parts parts;
    if (split(untrusted, len, &parts) && parse_payload(parts.payload, keyset)) return OTA_OK;
    return OTA_ERR_KEYSET;
}

/* Signatures by enough different roots: key ids rise, so no root counts twice. */
static enum ota_status check_signatures(const struct keyset_parts *parts, const struct ota_roots *roots) {
    uint32_t signers = 0;
    for (uint32_t i = 0; i < parts->signature_count; i++) {
        const uint8_t *sign1 = parts->signatures + i * OTA_COSE_SIGN1_LEN;
        const uint8_t *key = ota_cose_sign1_find_key(sign1, roots->keys[0], roots->count);
        if (key == NULL) continue;
        TRY(ota_cose_sign1_verify(sign1, key, (struct ota_span){keyset_aad, sizeof keyset_aad}, parts->payload));
        signers++;
    }
    return signers >= roots->threshold ? OTA_OK : OTA_ERR_SIGNERS;
}

enum ota_status ota_keyset_accept(const uint8_t *untrusted, uint32_t len, uint32_t current_version,
                                  const struct ota_roots *roots, struct ota_keyset *keyset) {
    struct keyset_parts parts;
    struct ota_keyset candidate;
    TRY(ota_keyset_parse(untrusted, len, &candidate));
    if (candidate.version <= current_version) return OTA_ERR_KEYSET_OLD;
    if (!split(untrusted, len, &parts)) return OTA_ERR_KEYSET;
    TRY(check_signatures(&parts, roots));
    *keyset = candidate;
    return OTA_OK;
}
