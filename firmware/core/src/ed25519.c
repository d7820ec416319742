/* SPDX-License-Identifier: Apache-2.0 */
#include "ota/ed25519.h"

#include <monocypher.h>
#include <string.h>

#include "ota/sha512.h"

/* SHA-512(first || second || pieces) modulo the group order. */
static void hash_to_scalar(uint8_t scalar[32], struct ota_span first, struct ota_span second,
                           const struct ota_span *pieces, uint32_t count) {
    struct ota_sha512 sha;
    uint8_t digest[OTA_SHA512_LEN];
    ota_sha512_init(&sha);
    ota_sha512_update(&sha, first.bytes, first.len);
    ota_sha512_update(&sha, second.bytes, second.len);
    for (uint32_t i = 0; i < count; i++) ota_sha512_update(&sha, pieces[i].bytes, pieces[i].len);
    ota_sha512_final(&sha, digest);
    crypto_eddsa_reduce(scalar, digest);
    crypto_wipe(&sha, sizeof sha);
    crypto_wipe(digest, sizeof digest);
}

/* RFC 8032 section 5.1.5: the secret scalar, then the prefix that nonces are derived from. */
static void expand_seed(uint8_t expanded[64], const uint8_t seed[OTA_ED25519_KEY_LEN]) {
    struct ota_sha512 sha;
    ota_sha512_init(&sha);
    ota_sha512_update(&sha, seed, OTA_ED25519_KEY_LEN);
    ota_sha512_final(&sha, expanded);
    crypto_eddsa_trim_scalar(expanded, expanded);
    crypto_wipe(&sha, sizeof sha);
}

enum ota_status ota_ed25519_verify(const uint8_t public_key[OTA_ED25519_KEY_LEN],
                                   const uint8_t signature[OTA_ED25519_SIGNATURE_LEN], const struct ota_span *pieces,
                                   uint32_t count) {
    uint8_t h[32];
    hash_to_scalar(h, (struct ota_span){signature, 32}, (struct ota_span){public_key, OTA_ED25519_KEY_LEN}, pieces,
                   count);
    return crypto_eddsa_check_equation(signature, public_key, h) == 0 ? OTA_OK : OTA_ERR_SIGNATURE;
}

void ota_ed25519_sign(const uint8_t seed[OTA_ED25519_KEY_LEN], const uint8_t public_key[OTA_ED25519_KEY_LEN],
                      const struct ota_span *pieces, uint32_t count, uint8_t signature[OTA_ED25519_SIGNATURE_LEN]) {
    uint8_t expanded[64];
    uint8_t nonce[32];
    uint8_t h[32];
    expand_seed(expanded, seed);
    hash_to_scalar(nonce, (struct ota_span){expanded + 32, 32}, (struct ota_span){expanded, 0}, pieces, count);
    crypto_eddsa_scalarbase(signature, nonce);
    hash_to_scalar(h, (struct ota_span){signature, 32}, (struct ota_span){public_key, OTA_ED25519_KEY_LEN}, pieces,
                   count);
    crypto_eddsa_mul_add(signature + 32, h, expanded, nonce);
    crypto_wipe(expanded, sizeof expanded);
    crypto_wipe(nonce, sizeof nonce);
}

void ota_ed25519_public_key(const uint8_t seed[OTA_ED25519_KEY_LEN], uint8_t public_key[OTA_ED25519_KEY_LEN]) {
    uint8_t expanded[64];
    expand_seed(expanded, seed);
    crypto_eddsa_scalarbase(public_key, expanded);
    crypto_wipe(expanded, sizeof expanded);
}
