/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OTA_BYTES_H
#define OTA_BYTES_H

#include <stdbool.h>
#include <stdint.h>

/* Bytes are decoded, never cast: the only way from memory of a format to integers and back. */

/* A run of bytes that somebody else owns. */
struct ota_span {
    const uint8_t *bytes;
    uint32_t len;
};

static inline uint16_t ota_load16_le(const uint8_t *p) { return (uint16_t)(p[0] | (uint32_t)p[1] << 8); }

static inline uint32_t ota_load32_le(const uint8_t *p) {
    return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static inline uint32_t ota_load32_be(const uint8_t *p) {
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static inline uint64_t ota_load64_be(const uint8_t *p) {
    return (uint64_t)ota_load32_be(p) << 32 | ota_load32_be(p + 4);
}

static inline void ota_store16_le(uint8_t *p, uint16_t value) {
    p[0] = (uint8_t)value;
    p[1] = (uint8_t)(value >> 8);
}

static inline void ota_store32_le(uint8_t *p, uint32_t value) {
    p[0] = (uint8_t)value;
    p[1] = (uint8_t)(value >> 8);
    p[2] = (uint8_t)(value >> 16);
    p[3] = (uint8_t)(value >> 24);
}

static inline void ota_store32_be(uint8_t *p, uint32_t value) {
    p[0] = (uint8_t)(value >> 24);
    p[1] = (uint8_t)(value >> 16);
    p[2] = (uint8_t)(value >> 8);
    p[3] = (uint8_t)value;
}

static inline void ota_store64_be(uint8_t *p, uint64_t value) {
    ota_store32_be(p, (uint32_t)(value >> 32));
    ota_store32_be(p + 4, (uint32_t)value);
}

static inline uint32_t ota_min_u32(uint32_t a, uint32_t b) { return a < b ? a : b; }

/* Equal bytes; the time depends on `len` only. */
bool ota_bytes_equal(const uint8_t *a, const uint8_t *b, uint32_t len);

/* Every one of the bytes is `value`; true for none. */
bool ota_bytes_are(const uint8_t *bytes, uint32_t len, uint8_t value);

#endif
