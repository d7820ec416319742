/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OTA_SHA512_H
#define OTA_SHA512_H

#include <stdint.h>

enum { OTA_SHA512_LEN = 64 };

/* SHA-512 (FIPS 180-4), incremental. */
struct ota_sha512 {
    uint64_t state[8];
    uint32_t len; /* bytes so far; a message is below 4 GiB */
    uint8_t block[128];
};

void ota_sha512_init(struct ota_sha512 *sha);
void ota_sha512_update(struct ota_sha512 *sha, const void *bytes, uint32_t len);
void ota_sha512_final(struct ota_sha512 *sha, uint8_t digest[OTA_SHA512_LEN]);

#endif
