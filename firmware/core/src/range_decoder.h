/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OTA_RANGE_DECODER_H
#define OTA_RANGE_DECODER_H

#include "ota/delta.h"

/* Carry-less binary range decoder, 32 bits, integers only: docs/spec/patch.md section 4. The caller keeps the
 * look-ahead filled; asking for a byte that is not there yields 0 and sets `overrun`, which is looked at after each
 * step. */

void ota_range_init(struct ota_range_decoder *range);

/* Reads the first four bytes of the stream. */
void ota_range_start(struct ota_range_decoder *range);

/* Moves bytes from `bytes` into the look-ahead until it is full; returns how many. */
uint32_t ota_range_fill(struct ota_range_decoder *range, const uint8_t *bytes, uint32_t len);

/* Patch bytes in the look-ahead that have not been decoded. */
uint32_t ota_range_available(const struct ota_range_decoder *range);

/* One decision; `chance` of a 1 in 65,536ths, 1 to 65,535. */
uint32_t ota_range_decision(struct ota_range_decoder *range, uint32_t chance);

/* One decision by an adaptive counter. */
uint32_t ota_range_bit(struct ota_range_decoder *range, uint16_t *counter, uint32_t rate);

/* `count` adaptive decisions, the highest bit first, through a tree of 1 << count counters. */
uint32_t ota_range_tree(struct ota_range_decoder *range, uint16_t *counters, uint32_t count, uint32_t rate);

/* `count` even decisions, the highest bit first. */
uint32_t ota_range_even(struct ota_range_decoder *range, uint32_t count);

#endif
