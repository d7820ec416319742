/* SPDX-License-Identifier: Apache-2.0 */
#include "ota/hkdf.h"

#include <monocypher.h>
#include <string.h>

enum { BLOCK_LEN = 64 };

/* Starts a hash with the key's block, every byte of it xor `pad`. */
static void begin_padded(struct ota_sha256 *sha, const uint8_t block[BLOCK_LEN], uint8_t pad) {
    uint8_t padded[BLOCK_LEN];
    for (uint32_t i = 0; i < BLOCK_LEN; i++) padded[i] = (uint8_t)(block[i] ^ pad);
    ota_sha256_init(sha);
    ota_sha256_update(sha, padded, sizeof padded);
    crypto_wipe(padded, sizeof padded);
}

void ota_hmac_sha256(struct ota_span key, const struct ota_span *pieces, uint32_t count, uint8_t mac[OTA_SHA256_LEN]) {
    struct ota_sha256 sha;
    uint8_t block[BLOCK_LEN] = {0};
    if (key.len > BLOCK_LEN) {
        ota_sha256_digest(key.bytes, key.len, block);
    } else if (key.len > 0) {
        memcpy(block, key.bytes, key.len);
    }

    uint8_t inner[OTA_SHA256_LEN];
    begin_padded(&sha, block, 0x36);
    for (uint32_t i = 0; i < count; i++) ota_sha256_update(&sha, pieces[i].bytes, pieces[i].len);
    ota_sha256_final(&sha, inner);

    begin_padded(&sha, block, 0x5C);
    ota_sha256_update(&sha, inner, sizeof inner);
    ota_sha256_final(&sha, mac);

    crypto_wipe(&sha, sizeof sha);
    crypto_wipe(block, sizeof block);
    crypto_wipe(inner, sizeof inner);
}

void ota_hkdf_sha256(struct ota_span salt, struct ota_span input, struct ota_span info, uint8_t *out,
                     uint32_t out_len) {
    uint8_t extracted[OTA_SHA256_LEN];
    uint8_t block[OTA_SHA256_LEN];
    uint32_t block_len = 0; /* the first block has none before it */
    uint8_t number = 0;
    ota_hmac_sha256(salt, &input, 1, extracted);
    while (out_len > 0) {
        number++;
        const struct ota_span pieces[] = {{block, block_len}, info, {&number, 1}};
        ota_hmac_sha256((struct ota_span){extracted, sizeof extracted}, pieces, 3, block);
        block_len = ota_min_u32(out_len, sizeof block);
        memcpy(out, block, block_len);
        out += block_len;
        out_len -= block_len;
    }
    crypto_wipe(extracted, sizeof extracted);
    crypto_wipe(block, sizeof block);
}
