/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OTA_COSE_H
#define OTA_COSE_H

#include <stdbool.h>
#include <stdint.h>

#include "ota/bytes.h"
#include "ota/ed25519.h"
#include "ota/status.h"

/* COSE_Sign1 in the one form of docs/spec/image.md section 4.2: Ed25519, key id, detached payload. */
enum {
    OTA_COSE_SIGN1_LEN = 83,
    OTA_COSE_KEY_ID_AT = 7,
    OTA_COSE_SIGNATURE_AT = 19,
    OTA_KEY_ID_LEN = 8,
};

/* First bytes of the SHA-256 of the public key. */
void ota_key_id(const uint8_t public_key[OTA_ED25519_KEY_LEN], uint8_t key_id[OTA_KEY_ID_LEN]);

/* Every byte but key id and signature has its one value. */
bool ota_cose_sign1_has_form(const uint8_t untrusted[OTA_COSE_SIGN1_LEN]);

/* Whether key ids rise from one signature to the next: so no signer stands twice. */
bool ota_cose_key_ids_rise(const uint8_t earlier[OTA_COSE_SIGN1_LEN], const uint8_t later[OTA_COSE_SIGN1_LEN]);

/* The key of `keys` (`count` keys of 32 bytes, one after the other) that the signature names; NULL when it names none.
 */
const uint8_t *ota_cose_sign1_find_key(const uint8_t sign1[OTA_COSE_SIGN1_LEN], const uint8_t *keys, uint32_t count);

/* OTA_ERR_SIGNATURE unless `public_key` signed Sig_structure("Signature1", protected, external_aad, payload).
 * external_aad is shorter than 24 bytes, payload of any length. */
OTA_MUST_CHECK enum ota_status ota_cose_sign1_verify(const uint8_t untrusted[OTA_COSE_SIGN1_LEN],
                                                     const uint8_t public_key[OTA_ED25519_KEY_LEN],
                                                     struct ota_span external_aad, struct ota_span payload);

#endif
