/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OTA_HKDF_H
#define OTA_HKDF_H

#include <stdint.h>

#include "ota/bytes.h"
#include "ota/sha256.h"

enum { OTA_HKDF_MAX_LEN = 255 * OTA_SHA256_LEN };

/* HMAC-SHA-256 (RFC 2104). The message is the `count` pieces, one after the other. Secrets on the stack are wiped. */
void ota_hmac_sha256(struct ota_span key, const struct ota_span *pieces, uint32_t count, uint8_t mac[OTA_SHA256_LEN]);

/* HKDF-SHA-256 (RFC 5869): `out_len` bytes, 1 to OTA_HKDF_MAX_LEN. Secrets on the stack are wiped. */
void ota_hkdf_sha256(struct ota_span salt, struct ota_span input, struct ota_span info, uint8_t *out, uint32_t out_len);

#endif
