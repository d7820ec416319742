/* SPDX-License-Identifier: Apache-2.0 */
#include "delta_unit_cost.h"

static uint32_t min_of(uint32_t a, uint32_t b) { return a < b ? a : b; }

static uint32_t bit_len(uint32_t value) {
    uint32_t bits = 0;
    for (; value != 0; value >>= 1) bits++;
    return bits;
}

static uint32_t repeated_cost(const struct muster_costs *costs, uint32_t times) {
    return costs->miss_repeated[times >= 5 ? 2 : times >= 3 ? 1 : 0];
}

/* A halfword that is not as expected. */
static uint32_t miss_cost(const struct muster_aligner_input *input, uint32_t old, uint32_t new) {
    const struct muster_costs *costs = input->costs;
    uint8_t old_high = (uint8_t)(old >> 8);
    uint8_t high = (uint8_t)(new >> 8);
    uint32_t cost = costs->miss_high(costs->tables, old_high, high);
    cost +=
        old_high == high ? costs->miss_low(costs->tables, high, (uint8_t)old, (uint8_t)new) : costs->miss_high_known;
    if (input->substitutions != NULL) {
        uint32_t times = input->substitutions->halfword[muster_substitutions_slot(old, new)];
        if (times >= 2) cost = min_of(cost, repeated_cost(costs, times));
    }
    return cost + costs->miss;
}

/* Both halfwords belong to references of one kind that are equal but for what they mean. */
static bool is_same_reference(const struct muster_text *text, uint32_t source, uint32_t target) {
    if (text->kind[source] != text->kind[target] || text->kind[source] == 0) return false;
    if (text->kind[source] == MUSTER_REFERENCE_POINTER && ((source ^ target) & 3u) != 0) return false;
    return text->normal[source] == text->normal[target] && text->normal[source + 1] == text->normal[target + 1];
}

/* A whole reference in the base, paid for at its first halfword. */
static uint32_t reference_cost(const struct muster_aligner_input *input, const struct muster_learned *learned,
                               uint32_t source, uint32_t target) {
    const struct muster_text *text = input->text;
    const struct muster_costs *costs = input->costs;
    if ((text->kind[source] & MUSTER_TEXT_REST) != 0) return 0;
    enum muster_surprise surprise = muster_reference_surprise(input->expectation, learned, text, source, target);
    if (surprise == MUSTER_SURPRISE_NONE) return costs->reference_hit;
    if (surprise == MUSTER_SURPRISE_LEARNED) return costs->reference_learned;
    if (surprise == MUSTER_SURPRISE_RECENT) return costs->reference_recent;
    uint32_t old = text->referred[source / 2];
    uint32_t new = text->referred[target / 2];
    uint32_t expected = input->expectation->referred[source / 2];
    uint32_t distance = new < expected ? expected - new : new - expected;
    uint32_t cost = costs->reference_miss + costs->reference_bit * bit_len(distance);
    if (text->kind[source] == MUSTER_REFERENCE_NEAR) cost = costs->reference_near;
    if (input->substitutions != NULL && input->substitutions->reference[muster_substitutions_slot(old, new)] >= 2) {
        cost = min_of(cost, costs->reference_repeated);
    }
    if (old == new) cost = min_of(cost, costs->reference_unchanged);
    return cost;
}

/* A reference copied within the target means the same place. */
static uint32_t repeated_reference_cost(const struct muster_aligner_input *input, uint32_t source, uint32_t target) {
    const struct muster_text *text = input->text;
    const struct muster_costs *costs = input->costs;
    if ((text->kind[source] & MUSTER_TEXT_REST) != 0) return 0;
    uint32_t old = text->referred[source / 2];
    uint32_t new = text->referred[target / 2];
    if (old == new) return costs->reference_hit;
    return costs->reference_miss + costs->reference_bit * bit_len(old < new ? new - old : old - new);
}

static uint32_t halfword_cost(const struct muster_aligner_input *input, const struct muster_learned *learned,
                              uint32_t source, uint32_t target) {
    const struct muster_text *text = input->text;
    uint32_t kind = text->kind[source];
    if (input->expectation != NULL && source < text->base_len && is_same_reference(text, source, target)) {
        return reference_cost(input, learned, source, target);
    }
    if (source >= text->origin && kind != MUSTER_REFERENCE_NEAR && is_same_reference(text, source, target)) {
        return repeated_reference_cost(input, source, target);
    }
    uint32_t old = muster_text_halfword(text, source);
    uint32_t new = muster_text_halfword(text, target);
    if (old == new) return input->costs->equal_halfword;
    if (is_same_reference(text, source, target)) return input->costs->reference[kind & MUSTER_TEXT_KIND];
    return miss_cost(input, old, new);
}

uint32_t muster_unit_cost(const struct muster_aligner_input *input, const struct muster_learned *learned,
                          uint32_t position, int32_t shift) {
    const struct muster_text *text = input->text;
    uint32_t source = position + (uint32_t)shift;
    uint32_t target = position + text->origin;
    if (((uint32_t)shift & 1u) == 0) return halfword_cost(input, learned, source, target);
    if (muster_text_halfword(text, source) == muster_text_halfword(text, target)) return input->costs->equal_halfword;
    return input->costs->miss_odd;
}

void muster_unit_learn(const struct muster_aligner_input *input, struct muster_learned *learned, uint32_t position,
                       int32_t shift) {
    const struct muster_text *text = input->text;
    uint32_t source = position + (uint32_t)shift;
    uint32_t target = position + text->origin;
    if (input->expectation == NULL || ((uint32_t)shift & 1u) != 0 || source >= text->base_len) return;
    uint32_t kind = text->kind[source];
    if (kind != MUSTER_REFERENCE_CALL && kind != MUSTER_REFERENCE_POINTER) return;
    if (is_same_reference(text, source, target)) {
        muster_reference_learn(learned, input->expectation, text, source, target);
    }
}
