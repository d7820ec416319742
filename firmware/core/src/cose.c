/* SPDX-License-Identifier: Apache-2.0 */
#include "ota/cose.h"

#include <stddef.h>
#include <string.h>

#include "ota/cbor.h"
#include "ota/sha256.h"

/* COSE_Sign1 up to the key id, and between key id and signature. */
static const uint8_t before_key_id[OTA_COSE_KEY_ID_AT] = {0x84, 0x4D, 0xA2, 0x01, 0x27, 0x04, 0x48};
static const uint8_t after_key_id[OTA_COSE_SIGNATURE_AT - OTA_COSE_KEY_ID_AT - OTA_KEY_ID_LEN] = {0xA0, 0xF6, 0x58,
                                                                                                  0x40};

/* Where the protected header stands as a byte string. */
enum {
    PROTECTED_AT = 1,
    PROTECTED_LEN = 14,
};

void ota_key_id(const uint8_t public_key[OTA_ED25519_KEY_LEN], uint8_t key_id[OTA_KEY_ID_LEN]) {
    uint8_t digest[OTA_SHA256_LEN];
    ota_sha256_digest(public_key, OTA_ED25519_KEY_LEN, digest);
    memcpy(key_id, digest, OTA_KEY_ID_LEN);
}

bool ota_cose_sign1_has_form(const uint8_t untrusted[OTA_COSE_SIGN1_LEN]) {
    return memcmp(untrusted, before_key_id, sizeof before_key_id) == 0 &&
           memcmp(untrusted + OTA_COSE_KEY_ID_AT + OTA_KEY_ID_LEN, after_key_id, sizeof after_key_id) == 0;
}

bool ota_cose_key_ids_rise(const uint8_t earlier[OTA_COSE_SIGN1_LEN], const uint8_t later[OTA_COSE_SIGN1_LEN]) {
    return memcmp(earlier + OTA_COSE_KEY_ID_AT, later + OTA_COSE_KEY_ID_AT, OTA_KEY_ID_LEN) < 0;
}

const uint8_t *ota_cose_sign1_find_key(const uint8_t sign1[OTA_COSE_SIGN1_LEN], const uint8_t *keys, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        const uint8_t *key = keys + i * OTA_ED25519_KEY_LEN;
        uint8_t key_id[OTA_KEY_ID_LEN];
        ota_key_id(key, key_id);
        if (memcmp(key_id, sign1 + OTA_COSE_KEY_ID_AT, OTA_KEY_ID_LEN) == 0) return key;
    }
    return NULL;
}

enum ota_status ota_cose_sign1_verify(const uint8_t untrusted[OTA_COSE_SIGN1_LEN],
                                      const uint8_t public_key[OTA_ED25519_KEY_LEN], struct ota_span external_aad,
                                      struct ota_span payload) {
    static const uint8_t context[] = {0x84, 0x6A, 'S', 'i', 'g', 'n', 'a', 't', 'u', 'r', 'e', '1'};
    uint8_t aad[24];
    uint8_t payload_head[8];
    uint32_t aad_len;
    uint32_t payload_head_len;
    struct ota_cbor_writer writer;

    if (!ota_cose_sign1_has_form(untrusted)) return OTA_ERR_SIGNATURE;
    if (ota_cose_sign1_find_key(untrusted, public_key, 1) == NULL) return OTA_ERR_SIGNATURE;

    ota_cbor_writer_init(&writer, aad, sizeof aad);
    ota_cbor_write_bytes(&writer, external_aad.bytes, external_aad.len);
    TRY(ota_cbor_writer_finish(&writer, &aad_len));
    ota_cbor_writer_init(&writer, payload_head, sizeof payload_head);
    ota_cbor_write_bytes_head(&writer, payload.len);
    TRY(ota_cbor_writer_finish(&writer, &payload_head_len));

    const struct ota_span pieces[] = {
        {context, sizeof context},
        {untrusted + PROTECTED_AT, PROTECTED_LEN},
        {aad, aad_len},
        {payload_head, payload_head_len},
        payload,
    };
    return ota_ed25519_verify(public_key, untrusted + OTA_COSE_SIGNATURE_AT, pieces, sizeof pieces / sizeof pieces[0]);
}
