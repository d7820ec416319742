/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OTA_ED25519_H
#define OTA_ED25519_H

#include <stdint.h>

#include "ota/bytes.h"
#include "ota/status.h"

enum {
    OTA_ED25519_KEY_LEN = 32,
    OTA_ED25519_SIGNATURE_LEN = 64,
};

/* Ed25519 (RFC 8032 section 5.1). The message is the `count` pieces, one after the other.
 * A signature whose S is not below the group order is refused (no second form of a signature): OTA_ERR_SIGNATURE. */
OTA_MUST_CHECK enum ota_status ota_ed25519_verify(const uint8_t public_key[OTA_ED25519_KEY_LEN],
                                                  const uint8_t signature[OTA_ED25519_SIGNATURE_LEN],
                                                  const struct ota_span *pieces, uint32_t count);

/* `public_key` must be the seed's own. Secrets on the stack are wiped. */
void ota_ed25519_sign(const uint8_t seed[OTA_ED25519_KEY_LEN], const uint8_t public_key[OTA_ED25519_KEY_LEN],
                      const struct ota_span *pieces, uint32_t count, uint8_t signature[OTA_ED25519_SIGNATURE_LEN]);

void ota_ed25519_public_key(const uint8_t seed[OTA_ED25519_KEY_LEN], uint8_t public_key[OTA_ED25519_KEY_LEN]);

#endif
