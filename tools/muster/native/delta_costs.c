/* SPDX-License-Identifier: Apache-2.0 */
#include "delta_costs.h"

#include "delta_log.h"
#include "delta_mix.h"
#include "delta_tables.h"

/* MUSTER_BIT times the bits that an outcome of `chance` 65,536ths costs. */
static uint32_t bits_of(uint32_t chance) { return 16 * MUSTER_BIT - (uint32_t)muster_log2(chance, MUSTER_BIT); }

struct bit_costs {
    uint16_t of[2][256]; /* [bit][prediction + 128] */
};

static void bit_costs_init(struct bit_costs *costs) {
    for (int32_t known = -128; known < 128; known++) {
        uint32_t chance = ota_delta_squash(16 * known);
        costs->of[1][known + 128] = (uint16_t)bits_of(chance);
        costs->of[0][known + 128] = (uint16_t)bits_of(65536 - chance);
    }
}

static uint32_t bit_cost(const struct bit_costs *costs, uint32_t bit, int8_t known) {
    return costs->of[bit][known + 128];
}

/* `byte` by one of the coder's tables, from bit `first` down. */
static uint32_t byte_cost(const struct bit_costs *costs, uint32_t table, uint32_t context, uint32_t byte,
                          uint32_t first) {
    const struct ota_delta_byte_table *of = &ota_delta_byte_tables[table];
    uint32_t group = of->groups[context], upper = byte >> 4, cost = 0;
    const int8_t *lower = of->lower[of->lower_groups[group * 16 + upper]];
    for (uint32_t shift = first + 1; shift-- > 0;) {
        uint32_t node = (1u << (7 - shift)) | byte >> (shift + 1);
        uint32_t in_nibble = shift >= 4 ? node : (node & ((1u << (3 - shift)) - 1)) | 1u << (3 - shift);
        cost += bit_cost(costs, byte >> shift & 1, shift >= 4 ? of->upper[group][in_nibble] : lower[in_nibble]);
    }
    return cost;
}

/* `byte` where a copy expects another one: by the expectation while it is right, then by a table. */
static uint32_t other_byte_cost(const struct bit_costs *costs, bool is_low, uint32_t known, uint32_t expected,
                                uint32_t table, uint32_t context, uint32_t byte) {
    uint32_t cost = 0;
    for (uint32_t shift = 8; shift-- > 0;) {
        uint32_t bit = byte >> shift & 1, guess = expected >> shift & 1;
        cost += bit_cost(costs, bit, ota_delta_known_bits[is_low][guess][shift][known]);
        if (bit != guess) return shift == 0 ? cost : cost + byte_cost(costs, table, context, byte, shift - 1);
    }
    return cost;
}

static uint32_t literal_high(const void *tables, uint8_t before, uint8_t high) {
    return ((const struct muster_delta_costs *)tables)->literal_high[before][high];
}

static uint32_t literal_low(const void *tables, uint8_t high, uint8_t low) {
    return ((const struct muster_delta_costs *)tables)->literal_low[high][low];
}

static uint32_t miss_high(const void *tables, uint8_t expected, uint8_t high) {
    return ((const struct muster_delta_costs *)tables)->miss_high[expected][high];
}

static uint32_t miss_low(const void *tables, uint8_t high, uint8_t expected, uint8_t low) {
    return ((const struct muster_delta_costs *)tables)->miss_low[high >> 3][expected][low];
}

void muster_delta_costs_init(struct muster_delta_costs *tables, struct muster_costs *costs, enum muster_parse parse) {
    struct bit_costs bits;
    bit_costs_init(&bits);
    for (uint32_t a = 0; a < 256; a++) {
        for (uint32_t b = 0; b < 256; b++) {
            tables->literal_high[a][b] = (uint16_t)byte_cost(&bits, 0, a, b, 7);
            tables->literal_low[a][b] = (uint16_t)byte_cost(&bits, 2, a, b, 7);
            tables->miss_high[a][b] = (uint16_t)other_byte_cost(&bits, false, a >> 3, a, 0, a, b);
            for (uint32_t known = 0; known < 32; known++) {
                tables->miss_low[known][a][b] = (uint16_t)other_byte_cost(&bits, true, known, a, 2, 8 * known, b);
            }
        }
    }
    muster_costs_init(costs, parse);
    costs->tables = tables;
    costs->literal_high = literal_high;
    costs->literal_low = literal_low;
    costs->miss_high = miss_high;
    costs->miss_low = miss_low;
}
