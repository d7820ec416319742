/* SPDX-License-Identifier: Apache-2.0 */
#include "ota/aead.h"

#include <monocypher.h>

/* Monocypher's incremental interface changes its key after each message; the first one of a context made with
 * crypto_aead_init_ietf is the construction of RFC 8439. Each context here is used once. */

void ota_aead_seal(const uint8_t key[OTA_AEAD_KEY_LEN], const uint8_t nonce[OTA_AEAD_NONCE_LEN], struct ota_span aad,
                   uint8_t *text, uint32_t len, uint8_t tag[OTA_AEAD_TAG_LEN]) {
    crypto_aead_ctx ctx;
    crypto_aead_init_ietf(&ctx, key, nonce);
    crypto_aead_write(&ctx, text, tag, aad.bytes, aad.len, text, len);
    crypto_wipe(&ctx, sizeof ctx);
}

enum ota_status ota_aead_open(const uint8_t key[OTA_AEAD_KEY_LEN], const uint8_t nonce[OTA_AEAD_NONCE_LEN],
                              struct ota_span aad, uint8_t *untrusted, uint32_t len,
                              const uint8_t tag[OTA_AEAD_TAG_LEN]) {
    crypto_aead_ctx ctx;
    crypto_aead_init_ietf(&ctx, key, nonce);
    int mismatch = crypto_aead_read(&ctx, untrusted, tag, aad.bytes, aad.len, untrusted, len);
    crypto_wipe(&ctx, sizeof ctx);
    return mismatch == 0 ? OTA_OK : OTA_ERR_SIGNATURE;
}
