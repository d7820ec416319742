/* SPDX-License-Identifier: Apache-2.0 */
#include "ota/bytes.h"

bool ota_bytes_equal(const uint8_t *a, const uint8_t *b, uint32_t len) {
    uint32_t difference = 0;
    for (uint32_t i = 0; i < len; i++) difference |= (uint32_t)(a[i] ^ b[i]);
    return difference == 0;
}

bool ota_bytes_are(const uint8_t *bytes, uint32_t len, uint8_t value) {
    for (uint32_t i = 0; i < len; i++) {
        if (bytes[i] != value) return false;
    }
    return true;
}
