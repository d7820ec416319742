/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OTA_DELTA_TABLES_H
#define OTA_DELTA_TABLES_H

#include <stdint.h>

#include "delta_model.h"
#include "ota/delta.h"

/* Constants of the coder: docs/spec/patch.md section 5. delta_tables.c and delta_byte_tables.c are written by
 * tools/delta_training: what they hold is part of the format, and known to nobody but through them. */

/* Logistic function and its inverse; rates of counters by how much they have seen. */
extern const uint16_t ota_delta_squashes[512];
extern const int8_t ota_delta_stretches[2048];
extern const uint8_t ota_delta_rates[16];

/* What the counters begin with, those of hashed contexts left out: how much they count as having seen (two bits) below
 * the chance (six bits: a step of 64 in the logistic domain). */
enum { OTA_DELTA_INITIALS = OTA_DELTA_AT_ORDER1 };
extern const uint8_t ota_delta_initials[OTA_DELTA_INITIALS];

/* What the weights begin with, in 64ths. */
extern const int8_t ota_delta_weights[OTA_DELTA_WEIGHT_SETS][OTA_DELTA_MIX_INPUTS];

/* Predictions, in sixteenths of the logistic domain's unit. */

/* That a unit is as predicted: by the high byte of a plain halfword, or by class and confidence. */
extern const int8_t ota_delta_known_hits[256 + 16 * 4];

/* That a bit is 1, by [low byte][bit of the guess][bit's place][top of the guess, or of the high byte]. */
extern const int8_t ota_delta_known_bits[2][2][8][32];

/* That a bit is 1, by the bits before it and a context byte: contexts fall into groups, for the upper four bits, and
 * these with the upper bits into groups for the lower ones. Nodes are numbered as in a heap, from 1. */
struct ota_delta_byte_table {
    uint8_t groups[256];
    uint8_t lower_groups[256];
    int8_t upper[16][16];
    int8_t lower[32][16];
};

extern const struct ota_delta_byte_table ota_delta_byte_tables[8];

#endif
