/* SPDX-License-Identifier: Apache-2.0 */
#include "delta_range.h"

#include "delta_input.h"

void ota_delta_range_start(struct ota_delta *delta) {
    struct ota_delta_range *range = &delta->kept.range;
    range->size = UINT32_MAX;
    range->code = 0;
    for (uint32_t i = 0; i < 4; i++) range->code = range->code << 8 | ota_delta_input_next(&delta->kept.input);
}

uint32_t ota_delta_range_read(struct ota_delta *delta, uint32_t chance) {
    struct ota_delta_range *range = &delta->kept.range;
    uint32_t zero = ota_delta_range_zero(range, chance), size = zero, code = range->code, bit = 0;
    if (code >= zero) {
        size = range->size - zero;
        code -= zero;
        bit = 1;
    }
    for (; size < OTA_DELTA_RANGE_MIN; size <<= 8) code = code << 8 | ota_delta_input_next(&delta->kept.input);
    range->size = size;
    range->code = code;
    return bit;
}
