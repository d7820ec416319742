/* SPDX-License-Identifier: Apache-2.0 */
#include "delta_plan.h"

#include <stdlib.h>
#include <string.h>

#include "delta_model.h"
#include "delta_output.h"

/* Rough costs in eighths of a bit. They steer the plan only. */
enum {
    COST_LITERAL = 50,
    COST_HIT = 2,
    COST_MISS = 76,
    COST_OPERATION = 24,
    COST_LEN = 48,
    GIVE_UP = 8 * COST_LITERAL, /* a copy that loses this much against its best point ends there */
    SWITCH_GAIN = 5 * COST_LITERAL,
    COST_FORBIDDEN = 1 << 30, /* more than the longest copy can gain */
    NUMBER_MAX = (2 << OTA_DELTA_NUMBER_BITS_MAX) - 2,
};

enum {
    HASH_BITS = 16,
    HASH_SIZE = 1 << HASH_BITS,
    BASE_KEY = 6, /* shortest exact run that starts a copy */
    TARGET_KEY = 4,
    CHAIN_MAX = 96, /* candidates tried per place */
    NONE = -1,
};

/* Places of a text by the hash of their first bytes, the newest first. */
struct index {
    int32_t head[HASH_SIZE];
    int32_t *next;
};

struct match {
    uint32_t source;
    uint32_t len;
    int32_t gain; /* against coding the bytes as literals, in eighths of a bit; above 0 when it is worth it */
};

struct planner {
    const struct muster_pair *pair;
    struct index base_index;
    struct index target_index;
    uint32_t indexed; /* target positions below are in target_index */
    uint32_t part_begin;
    uint32_t part_end;
    uint32_t offset_less_position; /* in this part, modulo 2^32 */
    uint32_t alignment;
    struct match *exact; /* best exact base match of each position; len UINT32_MAX: not searched yet */
};

static uint32_t hash_of(const uint8_t *bytes, uint32_t len) {
    uint64_t key = 0;
    for (uint32_t i = 0; i < len; i++) key = key << 8 | bytes[i];
    return (uint32_t)((key * 0x9E3779B97F4A7C15u) >> (64 - HASH_BITS));
}

static void index_add(struct index *index, const uint8_t *text, uint32_t at, uint32_t key_len) {
    uint32_t hash = hash_of(text + at, key_len);
    index->next[at] = index->head[hash];
    index->head[hash] = (int32_t)at;
}

static bool index_init(struct index *index, uint32_t len) {
    for (uint32_t i = 0; i < HASH_SIZE; i++) index->head[i] = NONE;
    index->next = malloc((size_t)(len + 1) * sizeof *index->next);
    return index->next != NULL;
}

static int32_t cost_of_number(uint32_t value) {
    int32_t bits = 0;
    for (uint32_t rest = value + 1; rest > 1; rest >>= 1) bits++;
    return 8 * (bits + 3);
}

/* The number that codes a base copy from `source` at `position`. */
static uint32_t shift_number(const struct planner *planner, uint32_t position, uint32_t source) {
    uint32_t shift = source - (position + planner->offset_less_position + planner->alignment);
    return (shift & 0x80000000u) != 0 ? (~shift << 1 | 1) : shift << 1;
}

static int32_t cost_of_base_copy(const struct planner *planner, uint32_t position, uint32_t source) {
    uint32_t number = shift_number(planner, position, source);
    if (number > NUMBER_MAX) return COST_FORBIDDEN;
    return COST_OPERATION + COST_LEN + (number == 0 ? 8 : cost_of_number(number));
}

static bool is_same(const struct planner *planner, uint32_t position, uint32_t source) {
    return planner->pair->is_derived[position] != 0 || planner->pair->base[source] == planner->pair->target[position];
}

/* The longest exact run in the base for this place, nearer sources first. */
static struct match exact_match(struct planner *planner, uint32_t position) {
    const struct muster_pair *pair = planner->pair;
    struct match *known = &planner->exact[position];
    if (known->len != UINT32_MAX) return *known;

    struct match best = {0, 0, 0};
    uint32_t room = planner->part_end - position;
    uint32_t base_len = pair->header->base_len;
    if (room >= BASE_KEY && base_len >= BASE_KEY) {
        int32_t at = planner->base_index.head[hash_of(pair->target + position, BASE_KEY)];
        for (uint32_t tries = 0; at != NONE && tries < CHAIN_MAX; tries++, at = planner->base_index.next[at]) {
            uint32_t source = (uint32_t)at;
            uint32_t limit = base_len - source < room ? base_len - source : room;
            uint32_t len = 0;
            while (len < limit && is_same(planner, position + len, source + len)) len++;
            if (len < BASE_KEY) continue;
            int32_t gain = (int32_t)len * (COST_LITERAL - COST_HIT) - cost_of_base_copy(planner, position, source);
            if (best.len == 0 || gain > best.gain) best = (struct match){source, len, gain};
        }
    }
    *known = best;
    return best;
}

/* Whether leaving the copy (source for position) here, for an exact run elsewhere, pays. */
static bool other_is_better(struct planner *planner, uint32_t position, uint32_t source) {
    struct match other = exact_match(planner, position);
    if (other.len == 0 || other.source == source) return false;
    int32_t gain = 0;
    uint32_t base_len = planner->pair->header->base_len;
    for (uint32_t i = 0; i < other.len; i++) {
        bool hit = source + i < base_len && is_same(planner, position + i, source + i);
        if (!hit) gain += COST_MISS - COST_HIT;
    }
    return gain > SWITCH_GAIN;
}

/* The base copy from `source`, as long as it pays, with the misses it has. */
static struct match base_copy(struct planner *planner, uint32_t position, uint32_t source) {
    struct match best = {source, 0, 0};
    uint32_t base_len = planner->pair->header->base_len;
    if (source >= base_len) return best;
    uint32_t limit = planner->part_end - position;
    if (limit > base_len - source) limit = base_len - source;

    int32_t gain = -cost_of_base_copy(planner, position, source);
    int32_t top = gain;
    for (uint32_t len = 0; len < limit; len++) {
        if (is_same(planner, position + len, source + len)) {
            gain += COST_LITERAL - COST_HIT;
        } else {
            if (gain < top - GIVE_UP) break;
            if (len != 0 && other_is_better(planner, position + len, source + len)) break;
            gain -= COST_MISS - COST_LITERAL;
        }
        if (gain > top) {
            top = gain;
            best.len = len + 1;
            best.gain = gain;
        }
    }
    return best;
}

static bool is_repeated(const struct muster_pair *pair, uint32_t position, uint32_t source) {
    return pair->is_derived[position] != 0 || pair->target[source] == pair->target[position];
}

static struct match target_copy(struct planner *planner, uint32_t position) {
    const struct muster_pair *pair = planner->pair;
    struct match best = {0, 0, 0};
    uint32_t room = planner->part_end - position;
    if (room < TARGET_KEY) return best;
    int32_t at = planner->target_index.head[hash_of(pair->target + position, TARGET_KEY)];
    for (uint32_t tries = 0; at != NONE && tries < CHAIN_MAX; tries++, at = planner->target_index.next[at]) {
        uint32_t source = (uint32_t)at;
        uint32_t len = 0;
        while (len < room && is_repeated(pair, position + len, source + len)) len++;
        int32_t cost = COST_OPERATION + COST_LEN + cost_of_number(position - source - 1);
        int32_t gain = (int32_t)len * COST_LITERAL - cost;
        if (gain > best.gain) best = (struct match){source, len, gain};
    }
    return best;
}

/* The best operation that begins at `position`: OTA_DELTA_OP_LITERAL when no copy pays. */
static struct muster_operation best_operation(struct planner *planner, uint32_t position, int32_t *gain) {
    struct muster_operation chosen = {OTA_DELTA_OP_LITERAL, position, 1, 0};
    *gain = 0;
    struct match found[3];
    uint32_t aligned = position + planner->offset_less_position + planner->alignment;
    found[0] = base_copy(planner, position, aligned);
    struct match exact = exact_match(planner, position);
    found[1] = exact.len != 0 && exact.source != aligned ? base_copy(planner, position, exact.source) : exact;
    found[2] = target_copy(planner, position);
    if (exact.source == aligned) found[1] = found[0];
    for (uint32_t i = 0; i < 3; i++) {
        if (found[i].len == 0 || found[i].gain <= *gain) continue;
        *gain = found[i].gain;
        chosen.kind = i == 2 ? OTA_DELTA_OP_TARGET : OTA_DELTA_OP_BASE;
        chosen.len = found[i].len;
        chosen.source = found[i].source;
    }
    return chosen;
}

/* Lets a base copy begin earlier, over bytes that would be literals. */
static void extend_back(const struct planner *planner, struct muster_operation *copy, uint32_t literal_begin) {
    int32_t gain = 0;
    int32_t top = 0;
    uint32_t taken = 0;
    uint32_t limit = copy->position - literal_begin;
    if (limit > copy->source) limit = copy->source;
    for (uint32_t back = 1; back <= limit && gain > top - GIVE_UP; back++) {
        bool hit = is_same(planner, copy->position - back, copy->source - back);
        gain += COST_LITERAL - (hit ? COST_HIT : COST_MISS);
        if (gain > top) {
            top = gain;
            taken = back;
        }
    }
    copy->position -= taken;
    copy->source -= taken;
    copy->len += taken;
}

static void index_target(struct planner *planner, uint32_t end) {
    uint32_t target_len = planner->pair->header->target_len;
    for (; planner->indexed < end; planner->indexed++) {
        if (target_len - planner->indexed < TARGET_KEY) continue;
        index_add(&planner->target_index, planner->pair->target, planner->indexed, TARGET_KEY);
    }
}

static void part_enter(struct planner *planner, uint32_t part) {
    const struct ota_delta_header *header = planner->pair->header;
    planner->part_begin = part == OTA_DELTA_PART_TABLE ? 0 : ota_delta_part_end(header, part - 1);
    planner->part_end = ota_delta_part_end(header, part);
    planner->offset_less_position = ota_delta_offset(header, planner->part_begin) - planner->part_begin;
    planner->alignment = ota_delta_part_alignment(header, part);
}

/* Whether one literal more is worth it, because a clearly better copy begins behind it. */
static bool waiting_pays(struct planner *planner, uint32_t position, int32_t gain) {
    if (position + 1 >= planner->part_end) return false;
    int32_t next_gain = 0;
    index_target(planner, position + 1);
    (void)best_operation(planner, position + 1, &next_gain);
    return next_gain > gain + COST_LITERAL / 2;
}

static int64_t add_literals(struct muster_operation *operations, int64_t count, uint32_t begin, uint32_t end) {
    if (begin == end) return count;
    operations[count] = (struct muster_operation){OTA_DELTA_OP_LITERAL, begin, end - begin, 0};
    return count + 1;
}

static int64_t plan_part(struct planner *planner, struct muster_operation *operations, int64_t count) {
    uint32_t literal_begin = planner->part_begin;
    uint32_t position = planner->part_begin;
    while (position < planner->part_end) {
        int32_t gain = 0;
        index_target(planner, position);
        struct muster_operation chosen = best_operation(planner, position, &gain);
        if (chosen.kind == OTA_DELTA_OP_LITERAL) {
            position++;
            continue;
        }
        if (chosen.kind == OTA_DELTA_OP_TARGET && waiting_pays(planner, position, gain)) {
            position++;
            continue;
        }
        if (chosen.kind == OTA_DELTA_OP_BASE) extend_back(planner, &chosen, literal_begin);
        count = add_literals(operations, count, literal_begin, chosen.position);
        operations[count++] = chosen;
        if (chosen.kind == OTA_DELTA_OP_BASE) {
            planner->alignment = chosen.source - (chosen.position + planner->offset_less_position);
        }
        position = chosen.position + chosen.len;
        literal_begin = position;
    }
    return add_literals(operations, count, literal_begin, position);
}

int64_t muster_delta_plan(const struct muster_pair *pair, struct muster_operation *operations) {
    int64_t count = NONE;
    struct planner *planner = calloc(1, sizeof *planner);
    if (planner == NULL) return NONE;
    planner->pair = pair;
    planner->exact = malloc(((size_t)pair->header->target_len + 1) * sizeof *planner->exact);
    bool ready = index_init(&planner->base_index, pair->header->base_len);
    ready = index_init(&planner->target_index, pair->header->target_len) && ready && planner->exact != NULL;
    if (ready) {
        for (uint32_t i = 0; i < pair->header->target_len; i++) planner->exact[i].len = UINT32_MAX;
        for (uint32_t i = 0; i + BASE_KEY <= pair->header->base_len; i++) {
            index_add(&planner->base_index, pair->base, i, BASE_KEY);
        }
        count = 0;
        for (uint32_t part = OTA_DELTA_PART_TABLE; part <= OTA_DELTA_PART_TAIL; part++) {
            part_enter(planner, part);
            count = plan_part(planner, operations, count);
        }
    }
    free(planner->exact);
    free(planner->base_index.next);
    free(planner->target_index.next);
    free(planner);
    return count;
}
