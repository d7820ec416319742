/* SPDX-License-Identifier: Apache-2.0 */
#include "range_decoder.h"

#include "delta_model.h"

void ota_range_init(struct ota_range_decoder *range) {
    range->low = 0;
    range->high = UINT32_MAX;
    range->code = 0;
    range->overrun = 0;
    range->in_pos = 0;
    range->in_len = 0;
}

static uint32_t next_byte(struct ota_range_decoder *range) {
    if (range->in_pos == range->in_len) {
        range->overrun = 1;
        return 0;
    }
    return range->in[range->in_pos++];
}

void ota_range_start(struct ota_range_decoder *range) {
    for (uint32_t i = 0; i < 4; i++) range->code = range->code << 8 | next_byte(range);
}

uint32_t ota_range_fill(struct ota_range_decoder *range, const uint8_t *bytes, uint32_t len) {
    uint32_t kept = range->in_len - range->in_pos;
    for (uint32_t i = 0; i < kept; i++) range->in[i] = range->in[range->in_pos + i];
    range->in_pos = 0;
    range->in_len = kept;

    uint32_t room = OTA_DELTA_LOOKAHEAD_SIZE - kept;
    uint32_t taken = len < room ? len : room;
    for (uint32_t i = 0; i < taken; i++) range->in[kept + i] = bytes[i];
    range->in_len = kept + taken;
    return taken;
}

uint32_t ota_range_available(const struct ota_range_decoder *range) { return range->in_len - range->in_pos; }

uint32_t ota_range_decision(struct ota_range_decoder *range, uint32_t chance) {
    /* chance < 65536 keeps low <= split < high: both outcomes stay possible however small the interval is. */
    uint32_t split = range->low + (uint32_t)(((uint64_t)(range->high - range->low) * chance) >> 16);
    uint32_t bit = range->code <= split ? 1 : 0;
    if (bit != 0) {
        range->high = split;
    } else {
        range->low = split + 1;
    }
    while (((range->low ^ range->high) >> 24) == 0) {
        range->low <<= 8;
        range->high = range->high << 8 | 0xFF;
        range->code = range->code << 8 | next_byte(range);
    }
    return bit;
}

uint32_t ota_range_bit(struct ota_range_decoder *range, uint16_t *counter, uint32_t rate) {
    uint32_t bit = ota_range_decision(range, *counter);
    *counter = ota_counter_updated(*counter, bit, rate);
    return bit;
}

uint32_t ota_range_tree(struct ota_range_decoder *range, uint16_t *counters, uint32_t count, uint32_t rate) {
    uint32_t node = 1;
    for (uint32_t i = 0; i < count; i++) node = node << 1 | ota_range_bit(range, &counters[node], rate);
    return node - (1u << count);
}

uint32_t ota_range_even(struct ota_range_decoder *range, uint32_t count) {
    uint32_t value = 0;
    for (uint32_t i = 0; i < count; i++) value = value << 1 | ota_range_decision(range, 0x8000);
    return value;
}
