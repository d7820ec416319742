/* SPDX-License-Identifier: Apache-2.0 */
#include "delta_input.h"

#include <string.h>

#include "ota/bytes.h"

uint32_t ota_delta_input_fill(struct ota_delta_input *input, const uint8_t *bytes, uint32_t len) {
    uint32_t kept = ota_delta_input_available(input);
    memmove(input->bytes, input->bytes + input->pos, kept);
    uint32_t taken = ota_min_u32(len, OTA_DELTA_LOOKAHEAD_SIZE - kept);
    memcpy(input->bytes + kept, bytes, taken);
    input->pos = 0;
    input->len = (uint8_t)(kept + taken);
    return taken;
}

uint32_t ota_delta_input_next(struct ota_delta_input *input) {
    if (input->pos < input->len) return input->bytes[input->pos++];
    input->zeros++;
    return 0;
}
