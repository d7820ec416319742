/* SPDX-License-Identifier: Apache-2.0 */
#include "ota/crc32.h"

/* Remainders of the 16 nibbles for the reflected polynomial 0xEDB88320: 64 bytes of flash instead of 1,024. */
static const uint32_t nibble_remainder[16] = {
    0x00000000, 0x1DB71064, 0x3B6E20C8, 0x26D930AC, 0x76DC4190, 0x6B6B51F4, 0x4DB26158, 0x5005713C,
    0xEDB88320, 0xF00F9344, 0xD6D6A3E8, 0xCB61B38C, 0x9B64C2B0, 0x86D3D2D4, 0xA00AE278, 0xBDBDF21C,
};

uint32_t ota_crc32(uint32_t crc, const void *bytes, uint32_t len) {
    const uint8_t *p = bytes;
    crc = ~crc;
    for (uint32_t i = 0; i < len; i++) {
        crc ^= p[i];
        crc = nibble_remainder[crc & 15] ^ (crc >> 4);
        crc = nibble_remainder[crc & 15] ^ (crc >> 4);
    }
    return ~crc;
}
