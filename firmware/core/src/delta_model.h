/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OTA_DELTA_MODEL_H
#define OTA_DELTA_MODEL_H

#include "ota/delta.h"

/* Names of the model's parts: docs/spec/patch.md section 5. */

/* Kinds of numbers, each with counters of its own. */
enum ota_delta_number {
    OTA_DELTA_NUMBER_MAP_COUNT = 0,
    OTA_DELTA_NUMBER_MAP_GAP = 1,
    OTA_DELTA_NUMBER_MAP_LEN = 2,
    OTA_DELTA_NUMBER_COPY_LEN = 3,
    OTA_DELTA_NUMBER_SKIP = 4, /* two: behind a copy, behind literals */
    OTA_DELTA_NUMBER_DISTANCE = 6,
    OTA_DELTA_NUMBER_PLACE = 7,
    OTA_DELTA_NUMBER_VARIABLE = 8,
    OTA_DELTA_NUMBER_RELOC_GAP = 9,
    OTA_DELTA_NUMBER_RELOC_RUN = 10,
    OTA_DELTA_NUMBERS = 11,
};

/* The halfword written last was an instruction, or a half of a long one. */
enum ota_delta_half {
    OTA_DELTA_WHOLE = 0,
    OTA_DELTA_FIRST_HALF = 1,
    OTA_DELTA_SECOND_HALF = 2,
};

enum {
    OTA_DELTA_RUN_ALL = 0x7FFFFFFF, /* of predicted words in a relocation table */
    OTA_DELTA_NUMBER_COUNTERS = 12,
    OTA_DELTA_BIT_SEEN_MAX = 12,
    OTA_DELTA_MIXED_SEEN_MAX = 9,
    OTA_DELTA_WEIGHT_RATE = 12,
    OTA_DELTA_LEARN_LEN_MIN = 32, /* shorter copies teach the map nothing */
    OTA_DELTA_CHUNK_LEN = 8192,
    OTA_DELTA_ORDER1_SMALL_SHIFT = 32 - 8, /* hashed counters of bytes: as many as the bits above this one number */
    OTA_DELTA_ORDER1_LARGE_SHIFT = 32 - 12,
};

/* Where each counter is; the last ones exist in profile 2 only. */
enum {
    OTA_DELTA_AT_HIT_RECENT = 0,
    OTA_DELTA_AT_HIT_RUN = OTA_DELTA_AT_HIT_RECENT + 16 * 8,
    OTA_DELTA_AT_HIT_KEY = OTA_DELTA_AT_HIT_RUN + 16 * 8,
    OTA_DELTA_AT_REPEATED = OTA_DELTA_AT_HIT_KEY + 8 * 16,
    OTA_DELTA_AT_UNCHANGED = OTA_DELTA_AT_REPEATED + 8,
    OTA_DELTA_AT_OTHER_PLACE = OTA_DELTA_AT_UNCHANGED + 8 * 4,
    OTA_DELTA_AT_CHUNK = OTA_DELTA_AT_OTHER_PLACE + 10,
    OTA_DELTA_AT_SAME_DISTANCE = OTA_DELTA_AT_CHUNK + 16,
    OTA_DELTA_AT_WHICH_DISTANCE = OTA_DELTA_AT_SAME_DISTANCE + 1,
    OTA_DELTA_AT_SAME_PLACE = OTA_DELTA_AT_WHICH_DISTANCE + 3,
    OTA_DELTA_AT_WHICH_PLACE = OTA_DELTA_AT_SAME_PLACE + 1,
    OTA_DELTA_AT_TO_END = OTA_DELTA_AT_WHICH_PLACE + 11,
    OTA_DELTA_AT_SHIFT = OTA_DELTA_AT_TO_END + 1,
    OTA_DELTA_AT_MAP_SHIFT = OTA_DELTA_AT_SHIFT + 11,
    OTA_DELTA_AT_TABLE = OTA_DELTA_AT_MAP_SHIFT + 11,
    OTA_DELTA_AT_NUMBER = OTA_DELTA_AT_TABLE + 2,
    OTA_DELTA_AT_OP = OTA_DELTA_AT_NUMBER + OTA_DELTA_NUMBERS * OTA_DELTA_NUMBER_COUNTERS,
    OTA_DELTA_AT_CODE_POINTER = OTA_DELTA_AT_OP + 36,
    OTA_DELTA_AT_INSIDE_POINTER = OTA_DELTA_AT_CODE_POINTER + 1,
    OTA_DELTA_AT_CALL = OTA_DELTA_AT_INSIDE_POINTER + 1,
    OTA_DELTA_AT_GUESS = OTA_DELTA_AT_CALL + 8,
    OTA_DELTA_AT_ORDER1 = OTA_DELTA_AT_GUESS + 3 * 2 * 8,
    OTA_DELTA_AT_END_SMALL = OTA_DELTA_AT_ORDER1 + (1 << (32 - OTA_DELTA_ORDER1_SMALL_SHIFT)),
    OTA_DELTA_AT_END = OTA_DELTA_AT_ORDER1 + (1 << (32 - OTA_DELTA_ORDER1_LARGE_SHIFT)),
};

/* Puts counters and weights to what training found. */
void ota_delta_model_begin(struct ota_delta_kept *kept, uint16_t *counters, uint32_t counters_len);

#endif
