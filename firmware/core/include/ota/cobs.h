/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OTA_COBS_H
#define OTA_COBS_H

#include <stdint.h>

#include "ota/status.h"

/* Consistent Overhead Byte Stuffing (Cheshire and Baker, 1999): bytes without 0x00, at most one more per 254. */

/* Most bytes that `len` bytes become. */
#define OTA_COBS_MAX_LEN(len) ((len) + (len) / 254 + 1)

/* Writes the encoding of `bytes` to `out`, which has room for OTA_COBS_MAX_LEN(len); returns its length. */
uint32_t ota_cobs_encode(const uint8_t *bytes, uint32_t len, uint8_t *out);

/* Decodes in place. OTA_ERR_FRAME: not an encoding. */
OTA_MUST_CHECK enum ota_status ota_cobs_decode(uint8_t *untrusted, uint32_t len, uint32_t *decoded_len);

#endif
