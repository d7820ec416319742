/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OTA_KEYSET_H
#define OTA_KEYSET_H

#include <stdint.h>

#include "ota/ed25519.h"
#include "ota/status.h"

/* Key sets: docs/spec/boot.md section 3. */
enum {
    OTA_KEYSET_MAX_LEN = 853, /* the longest that the form allows */
    OTA_KEYSET_RELEASE_MAX = 8,
    OTA_KEYSET_ONLINE_MAX = 2,
    OTA_KEYSET_DEVELOPMENT_MAX = 4,
    OTA_ROOTS_MAX = 3,
};

/* Keys that sign a key set: `threshold` different ones of them are needed. */
struct ota_roots {
    uint8_t threshold;
    uint8_t count;
    uint8_t keys[OTA_ROOTS_MAX][OTA_ED25519_KEY_LEN];
};

struct ota_keyset {
    uint32_t version;
    uint8_t release_threshold;
    uint8_t release_count;
    uint8_t online_count;
    uint8_t development_count;
    uint8_t release[OTA_KEYSET_RELEASE_MAX][OTA_ED25519_KEY_LEN];
    uint8_t online[OTA_KEYSET_ONLINE_MAX][OTA_ED25519_KEY_LEN];
    uint8_t development[OTA_KEYSET_DEVELOPMENT_MAX][OTA_ED25519_KEY_LEN];
    struct ota_roots next_roots; /* who signs the next key set */
};

/* Form only: OTA_ERR_KEYSET. For bytes that were accepted before they were stored. */
OTA_MUST_CHECK enum ota_status ota_keyset_parse(const uint8_t *untrusted, uint32_t len, struct ota_keyset *keyset);

/* Form, then version above `current_version` (OTA_ERR_KEYSET_OLD), then signatures by the threshold of `roots`
 * (OTA_ERR_SIGNATURE: one that names a root does not hold; OTA_ERR_SIGNERS: too few). `keyset` is filled only on
 * OTA_OK; `roots` may point into it. */
OTA_MUST_CHECK enum ota_status ota_keyset_accept(const uint8_t *untrusted, uint32_t len, uint32_t current_version,
                                                 const struct ota_roots *roots, struct ota_keyset *keyset);

#endif
