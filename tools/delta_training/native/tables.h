/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DELTA_TRAINING_TABLES_H
#define DELTA_TRAINING_TABLES_H

#include "record.h"

/* The tables as a file: this struct, byte for byte. The script beside this folder makes C of it. */
enum { TRAIN_GROUPS = 16, TRAIN_LOWER_GROUPS = 32 };

struct train_byte_table {
    uint8_t groups[256];
    uint8_t lower_groups[TRAIN_GROUPS * 16];
    int8_t upper[TRAIN_GROUPS][16];
    int8_t lower[TRAIN_LOWER_GROUPS][16];
};

struct train_tables {
    uint16_t squashes[512];
    int8_t stretches[2048];
    uint8_t rates[16];
    uint8_t initials[OTA_DELTA_INITIALS];
    int8_t weights[OTA_DELTA_WEIGHT_SETS][OTA_DELTA_MIX_INPUTS];
    int8_t known_hits[TRAIN_KNOWN_HITS];
    int8_t known_bits[2][2][8][32];
    struct train_byte_table bytes[TRAIN_BYTE_TABLES];
};

/* Predictions by context, as the recorder numbers them: tables of bytes, known bits, known hits. */
enum {
    TRAIN_KNOWN_PER_TABLE = 256 * 16 + 4096 * 16,
    TRAIN_KNOWN_BITS_AT = TRAIN_BYTE_TABLES * TRAIN_KNOWN_PER_TABLE,
    TRAIN_KNOWN_HITS_AT = TRAIN_KNOWN_BITS_AT + 2 * 2 * 8 * 32,
    TRAIN_KNOWN = TRAIN_KNOWN_HITS_AT + TRAIN_KNOWN_HITS,
};

/* Predictions as they are stored, where contexts of a group share one. */
enum {
    TRAIN_ENTRIES_PER_TABLE = (TRAIN_GROUPS + TRAIN_LOWER_GROUPS) * 16,
    TRAIN_ENTRY_BITS_AT = TRAIN_BYTE_TABLES * TRAIN_ENTRIES_PER_TABLE,
    TRAIN_ENTRY_HITS_AT = TRAIN_ENTRY_BITS_AT + 2 * 2 * 8 * 32,
    TRAIN_ENTRIES = TRAIN_ENTRY_HITS_AT + TRAIN_KNOWN_HITS,
};

/* Puts the coder's tables to these. */
void train_tables_apply(const struct train_tables *tables);

/* Which entry each known prediction shares. */
void train_tables_entries(const struct train_tables *tables, uint16_t entry_of[TRAIN_KNOWN]);

/* Where an entry is stored. */
int8_t *train_tables_entry(struct train_tables *tables, uint32_t entry);

#endif
