/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OTA_DELTA_INPUT_H
#define OTA_DELTA_INPUT_H

#include "ota/delta.h"

/* Patch bytes on their way to the range decoder. No step begins before its worst case of them is at hand or no more
 * will come, so that none has to stop in the middle. */

/* Moves bytes from `bytes` into the look-ahead until it is full; returns how many. */
uint32_t ota_delta_input_fill(struct ota_delta_input *input, const uint8_t *bytes, uint32_t len);

/* Patch bytes in the look-ahead that have not been decoded. */
static inline uint32_t ota_delta_input_available(const struct ota_delta_input *input) {
    return (uint32_t)input->len - input->pos;
}

/* More was asked for than there may be. */
static inline bool ota_delta_input_is_overrun(const struct ota_delta_input *input) {
    return input->zeros > OTA_DELTA_ZEROS_MAX;
}

/* The next byte of the stream. Behind its end come up to OTA_DELTA_ZEROS_MAX zeros; what is made of more is worth
 * nothing. */
uint32_t ota_delta_input_next(struct ota_delta_input *input);

#endif
