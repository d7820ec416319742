/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OTA_SHA256_H
#define OTA_SHA256_H

#include <stdint.h>

enum { OTA_SHA256_LEN = 32 };

/* SHA-256 (FIPS 180-4), incremental. Plain integers: may be copied and saved at any point. */
struct ota_sha256 {
    uint32_t state[8];
    uint32_t len; /* bytes so far; a message is below 4 GiB */
    uint8_t block[64];
};

void ota_sha256_init(struct ota_sha256 *sha);
void ota_sha256_update(struct ota_sha256 *sha, const void *bytes, uint32_t len);

/* Writes the digest; the state must be initialised again before it is used again. */
void ota_sha256_final(struct ota_sha256 *sha, uint8_t digest[OTA_SHA256_LEN]);

void ota_sha256_digest(const void *bytes, uint32_t len, uint8_t digest[OTA_SHA256_LEN]);

#endif
