/* SPDX-License-Identifier: Apache-2.0 */
#include "delta_range.h"

#include "delta_input.h"

void ota_delta_range_start(struct ota_delta *delta) {
    struct ota_delta_range *range = &delta->kept.range;
    range->low = 0;
    range->high = UINT32_MAX;
    range->code = 0;
    for (uint32_t i = 0; i < 4; i++) range->code = range->code << 8 | ota_delta_input_next(&delta->kept.input);
}

uint32_t ota_delta_range_read(struct ota_delta *delta, uint32_t chance) {
    struct ota_delta_range *range = &delta->kept.range;
    uint32_t low = range->low, high = range->high;
    /* chance < 65536 keeps low <= split < high: both outcomes stay possible however small the interval is */
    uint32_t split = low + (uint32_t)(((uint64_t)(high - low) * chance) >> 16);
    uint32_t bit = range->code <= split ? 1 : 0;
    if (bit != 0) {
        high = split;
    } else {
        low = split + 1;
    }
    while (((low ^ high) >> 24) == 0) {
        low <<= 8;
        high = high << 8 | 0xFF;
        range->code = range->code << 8 | ota_delta_input_next(&delta->kept.input);
    }
    range->low = low;
    range->high = high;
    return bit;
}
