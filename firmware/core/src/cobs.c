/* SPDX-License-Identifier: Apache-2.0 */
#include "ota/cobs.h"

/* A block is a code byte n and n - 1 bytes without a zero; a zero follows the block unless n is 255 or it is the last.
 */
enum { CODE_MAX = 255 };

uint32_t ota_cobs_encode(const uint8_t *bytes, uint32_t len, uint8_t *out) {
    uint32_t code_at = 0;
    uint32_t out_len = 1;
    for (uint32_t i = 0; i < len; i++) {
        uint8_t byte = bytes[i]; /* before writing: `out` may end where `bytes` begin */
        if (out_len - code_at == CODE_MAX) {
            out[code_at] = CODE_MAX;
            code_at = out_len++;
        }
        if (byte != 0) {
            out[out_len++] = byte;
        } else {
            out[code_at] = (uint8_t)(out_len - code_at);
            code_at = out_len++;
        }
    }
    out[code_at] = (uint8_t)(out_len - code_at);
    return out_len;
}

enum ota_status ota_cobs_decode(uint8_t *untrusted, uint32_t len, uint32_t *decoded_len) {
    uint32_t in = 0;
    uint32_t out = 0;
    while (in < len) {
        uint32_t code = untrusted[in++];
        if (code == 0 || code - 1 > len - in) return OTA_ERR_FRAME;
        for (uint32_t end = in + code - 1; in < end; in++) {
            if (untrusted[in] == 0) return OTA_ERR_FRAME;
            untrusted[out++] = untrusted[in];
        }
        if (code != CODE_MAX && in < len) untrusted[out++] = 0;
    }
    *decoded_len = out;
    return OTA_OK;
}
