/* SPDX-License-Identifier: Apache-2.0 */
#include "tables.h"

#include <string.h>

uint16_t ota_delta_squashes[512];
int8_t ota_delta_stretches[2048];
uint8_t ota_delta_rates[16];
uint8_t ota_delta_initials[OTA_DELTA_INITIALS];
int8_t ota_delta_weights[OTA_DELTA_WEIGHT_SETS][OTA_DELTA_MIX_INPUTS];
int8_t ota_delta_known_hits[TRAIN_KNOWN_HITS];
int8_t ota_delta_known_bits[2][2][8][32];
struct ota_delta_byte_table ota_delta_byte_tables[TRAIN_BYTE_TABLES];

static void apply_bytes(const struct train_byte_table *from, struct ota_delta_byte_table *to) {
    for (uint32_t context = 0; context < 256; context++) {
        uint32_t group = from->groups[context];
        to->groups[context] = (uint16_t)context;
        memcpy(to->upper[context], from->upper[group], sizeof to->upper[context]);
        for (uint32_t upper = 0; upper < 16; upper++) {
            uint32_t at = context * 16 + upper;
            to->lower_groups[at] = (uint16_t)at;
            memcpy(to->lower[at], from->lower[from->lower_groups[group * 16 + upper]], sizeof to->lower[at]);
        }
    }
}

void train_tables_apply(const struct train_tables *tables) {
    memcpy(ota_delta_squashes, tables->squashes, sizeof ota_delta_squashes);
    memcpy(ota_delta_stretches, tables->stretches, sizeof ota_delta_stretches);
    memcpy(ota_delta_rates, tables->rates, sizeof ota_delta_rates);
    memcpy(ota_delta_initials, tables->initials, sizeof ota_delta_initials);
    memcpy(ota_delta_weights, tables->weights, sizeof ota_delta_weights);
    memcpy(ota_delta_known_hits, tables->known_hits, sizeof ota_delta_known_hits);
    memcpy(ota_delta_known_bits, tables->known_bits, sizeof ota_delta_known_bits);
    for (uint32_t i = 0; i < TRAIN_BYTE_TABLES; i++) apply_bytes(&tables->bytes[i], &ota_delta_byte_tables[i]);
}

void train_tables_entries(const struct train_tables *tables, uint16_t entry_of[TRAIN_KNOWN]) {
    for (uint32_t table = 0; table < TRAIN_BYTE_TABLES; table++) {
        const struct train_byte_table *from = &tables->bytes[table];
        uint32_t first = table * TRAIN_ENTRIES_PER_TABLE;
        uint16_t *to = entry_of + table * TRAIN_KNOWN_PER_TABLE;
        for (uint32_t i = 0; i < 256 * 16; i++) to[i] = (uint16_t)(first + from->groups[i / 16] * 16u + i % 16);
        for (uint32_t i = 0; i < 4096 * 16; i++) {
            uint32_t at = from->groups[i / 256] * 16u + i / 16 % 16;
            to[256 * 16 + i] = (uint16_t)(first + (TRAIN_GROUPS + from->lower_groups[at]) * 16u + i % 16);
        }
    }
    for (uint32_t i = TRAIN_KNOWN_BITS_AT; i < TRAIN_KNOWN; i++) {
        entry_of[i] = (uint16_t)(i - TRAIN_KNOWN_BITS_AT + TRAIN_ENTRY_BITS_AT);
    }
}

int8_t *train_tables_entry(struct train_tables *tables, uint32_t entry) {
    if (entry >= TRAIN_ENTRY_HITS_AT) return &tables->known_hits[entry - TRAIN_ENTRY_HITS_AT];
    if (entry >= TRAIN_ENTRY_BITS_AT) return &tables->known_bits[0][0][0][0] + (entry - TRAIN_ENTRY_BITS_AT);
    struct train_byte_table *table = &tables->bytes[entry / TRAIN_ENTRIES_PER_TABLE];
    uint32_t at = entry % TRAIN_ENTRIES_PER_TABLE;
    if (at < TRAIN_GROUPS * 16) return &table->upper[at / 16][at % 16];
    return &table->lower[at / 16 - TRAIN_GROUPS][at % 16];
}
