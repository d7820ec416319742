/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OTA_CRC32_H
#define OTA_CRC32_H

#include <stdint.h>

/* CRC-32 of IEEE 802.3, as zlib: ota_crc32(ota_crc32(0, a), b) is the CRC of a followed by b. */
uint32_t ota_crc32(uint32_t crc, const void *bytes, uint32_t len);

#endif
