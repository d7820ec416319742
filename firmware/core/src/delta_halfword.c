/* SPDX-License-Identifier: Apache-2.0 */
#include "delta_halfword.h"

#include "delta_bits.h"
#include "delta_repeats.h"
#include "ota/bytes.h"

static const uint32_t HASH_FACTOR = 0x9E3779B1;

enum {
    IS_LOW = 1, /* bits of a byte's kind */
    IS_IN_SECOND_HALF = 2,
    CALL_PREFIX = 0x3E, /* tree node of the bits 11110, with which each BL begins */
};

/* Everything that the next byte is coded by. */
struct byte_context {
    uint32_t kind;          /* IS_LOW, IS_IN_SECOND_HALF */
    uint32_t near;          /* the byte that tells most: context of the first table, and of the hashed counters */
    uint32_t wide;          /* eight bits from further off: context of the second table */
    uint32_t hash_shift;    /* leaves as many bits as number the hashed counters */
    uint32_t guess;         /* the byte of the prediction */
    uint32_t is_guessed;    /* there is one, and the bits so far agree with it */
    const int8_t *nodes[2]; /* static predictions by `near` and `wide`, of the four bits at hand */
};

/* The low register that the last instruction writes, by its most frequent formats (ARM DDI 0403E, A5.2). */
static uint32_t written_register(const struct ota_delta_kept *kept) {
    uint32_t last = kept->last, high = last >> 8;
    bool is_in_high = (high & 0xE0) == 0x20 || (high & 0xF8) == 0x48 || (high & 0xE0) == 0xA0 || (high & 0xF0) == 0x90;
    if (kept->half == OTA_DELTA_SECOND_HALF) {
        is_in_high = true;
        if (kept->before_last >= 0xF800) high >>= 4;
    }
    return (is_in_high ? high : last) & 7;
}

/* Static predictions by one context each: for the first four bits, then for the last four by what the first were. */
static void enter_nibble(struct byte_context *context, uint32_t node) {
    const struct ota_delta_byte_table *table = &ota_delta_byte_tables[2 * context->kind];
    for (uint32_t i = 0; i < 2; i++, table++) {
        uint32_t group = table->groups[i == 0 ? context->near : context->wide];
        context->nodes[i] =
            node == 1 ? table->upper[group] : table->lower[table->lower_groups[group * 16 + (node & 15)]];
    }
}

/* One bit of a byte; `node` holds those before it behind a leading 1, `in_nibble` those of the same four. */
static uint32_t take_tree_bit(struct ota_delta *delta, const struct byte_context *context, uint32_t node,
                              uint32_t in_nibble, uint32_t shift, uint32_t wanted) {
    uint32_t is_low = context->kind & IS_LOW, bit = context->guess >> shift & 1, guessed = 0;
    uint32_t hash = ((context->near << 2 | context->kind) << 8 | node) * HASH_FACTOR >> context->hash_shift;

    struct ota_delta_mix mix;
    mix.known[0] = &context->nodes[0][in_nibble];
    mix.known[1] = &context->nodes[1][in_nibble];
    if (context->is_guessed != 0) {
        uint32_t top = is_low != 0 ? context->near : context->guess;
        mix.known[1] = &ota_delta_known_bits[is_low][bit][shift][top >> 3];
        guessed = 1 + bit;
    }
    mix.counters[0] = &delta->counters[OTA_DELTA_AT_ORDER1 + hash];
    mix.counters[1] = &delta->counters[OTA_DELTA_AT_GUESS + (guessed * 2 + is_low) * 8 + shift];
    uint32_t set = OTA_DELTA_HIT_SETS + context->kind * 2 + context->is_guessed;
    return ota_delta_mixed(delta, &mix, delta->kept.weights[set], wanted);
}

/* The byte, or anything with guess->is_call. */
static uint32_t take_byte(struct ota_delta *delta, struct byte_context *context, struct ota_delta_guess *guess,
                          uint32_t wanted) {
    uint32_t node = 1, shift = 8;
    while (shift > 0) {
        enter_nibble(context, node);
        for (uint32_t in_nibble = 1; in_nibble < 16;) {
            shift--;
            uint32_t bit = take_tree_bit(delta, context, node, in_nibble, shift, wanted >> shift & 1);
            node = node << 1 | bit;
            in_nibble = in_nibble << 1 | bit;
            if ((context->guess >> shift & 1) != bit) context->is_guessed = 0;
            if (node == CALL_PREFIX && (context->kind & IS_LOW) == 0 && guess->may_be_call) {
                uint32_t counter = OTA_DELTA_AT_CALL + (delta->kept.last >> 13);
                guess->is_call = ota_delta_bit(delta, counter, guess->wants_call) != 0;
                if (guess->is_call) return 0;
            }
        }
    }
    return node & 0xFF;
}

uint32_t ota_delta_halfword(struct ota_delta *delta, struct ota_delta_guess *guess, uint32_t wanted) {
    struct ota_delta_kept *kept = &delta->kept;
    struct byte_context context;
    uint32_t halfword = kept->last;
    context.hash_shift = kept->header.profile == 1 ? OTA_DELTA_ORDER1_SMALL_SHIFT : OTA_DELTA_ORDER1_LARGE_SHIFT;
    context.kind = kept->half == OTA_DELTA_FIRST_HALF ? IS_IN_SECOND_HALF : 0;
    context.is_guessed = guess->has_prediction;
    /* that stays behind the high byte: where it was wrong, it has ended the guess */
    for (uint32_t shift = 8;; shift = 0) {
        context.near = shift != 0 ? halfword >> 8 : halfword;
        context.wide = context.kind >= IS_IN_SECOND_HALF ? kept->last >> 4 & 0xFFu
                                                         : (context.near & 0xF8) | written_register(kept);
        context.guess = guess->guessed >> shift & 0xFF;
        uint32_t byte = take_byte(delta, &context, guess, wanted >> shift & 0xFF);
        if (guess->is_call) return 0;
        if (shift == 0) {
            halfword = halfword << 8 | byte;
            break;
        }
        halfword = byte;
        context.kind |= IS_LOW;
    }
    if (guess->has_prediction) ota_delta_note_substitution(kept, guess->guessed, halfword);
    return halfword;
}
