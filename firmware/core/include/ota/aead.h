/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OTA_AEAD_H
#define OTA_AEAD_H

#include <stdint.h>

#include "ota/bytes.h"
#include "ota/status.h"

/* ChaCha20-Poly1305 (RFC 8439 section 2.8). */
enum {
    OTA_AEAD_KEY_LEN = 32,
    OTA_AEAD_NONCE_LEN = 12,
    OTA_AEAD_TAG_LEN = 16,
};

/* Encrypts `text` in place and writes its tag. A key and nonce are used together once, ever. */
void ota_aead_seal(const uint8_t key[OTA_AEAD_KEY_LEN], const uint8_t nonce[OTA_AEAD_NONCE_LEN], struct ota_span aad,
                   uint8_t *text, uint32_t len, uint8_t tag[OTA_AEAD_TAG_LEN]);

/* Decrypts `untrusted` in place. OTA_ERR_SIGNATURE when the tag does not hold; the bytes are then as they were. */
OTA_MUST_CHECK enum ota_status ota_aead_open(const uint8_t key[OTA_AEAD_KEY_LEN],
                                             const uint8_t nonce[OTA_AEAD_NONCE_LEN], struct ota_span aad,
                                             uint8_t *untrusted, uint32_t len, const uint8_t tag[OTA_AEAD_TAG_LEN]);

#endif
