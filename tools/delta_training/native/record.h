/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DELTA_TRAINING_RECORD_H
#define DELTA_TRAINING_RECORD_H

/* Included in front of every source of the coder: it takes the place of two headers of the core. The tables can be
 * changed, and what a decision is made from is told to the recorder. */

#include <stdint.h>

#include "delta_model.h"
#include "ota/delta.h"

/* In place of delta_tables.h: the same names. Tables of bytes have a group for each context, so that a pointer into one
 * tells the context. */
#define OTA_DELTA_TABLES_H

enum {
    OTA_DELTA_INITIALS = OTA_DELTA_AT_ORDER1,
    TRAIN_BYTE_TABLES = 8,
    TRAIN_KNOWN_HITS = 256 + 16 * 4,
};

struct ota_delta_byte_table {
    uint16_t groups[256];
    uint16_t lower_groups[4096];
    int8_t upper[256][16];
    int8_t lower[4096][16];
};

extern uint16_t ota_delta_squashes[512];
extern int8_t ota_delta_stretches[2048];
extern uint8_t ota_delta_rates[16];
extern uint8_t ota_delta_initials[OTA_DELTA_INITIALS];
extern int8_t ota_delta_weights[OTA_DELTA_WEIGHT_SETS][OTA_DELTA_MIX_INPUTS];
extern int8_t ota_delta_known_hits[TRAIN_KNOWN_HITS];
extern int8_t ota_delta_known_bits[2][2][8][32];
extern struct ota_delta_byte_table ota_delta_byte_tables[TRAIN_BYTE_TABLES];

/* What the next decision is made from. */
void train_note_counter(const uint16_t *counter);

#define ota_delta_counter_chance train_plain_counter_chance
#include "delta_counter.h"
#undef ota_delta_counter_chance

static inline uint32_t ota_delta_counter_chance(const uint16_t *counter) {
    train_note_counter(counter);
    return train_plain_counter_chance(counter);
}

#endif
