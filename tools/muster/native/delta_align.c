/* SPDX-License-Identifier: Apache-2.0 */
#include "delta_align.h"

#include <stdlib.h>

#include "delta_aligner.h"
#include "delta_unit_cost.h"

enum {
    WAKE_LEN = 4,                       /* so many bytes that match wake a resting shift */
    REST_MARGIN = 40 * MUSTER_BIT,      /* a copy rests when it is so far behind one begun anew */
    BEFORE_COST_MAX = 120 * MUSTER_BIT, /* what a copy may cost up to the place where it was found */
    NEAR_MAX = 4096,

    /* Bounds the time: sources looked at, eight bytes compared and halfwords weighed. Firmware never spends it all. */
    EFFORT_MAX = 1 << 24, /* at once, and at the beginning */
    EFFORT_EACH = 128,    /* that come in per halfword */
    COPIES_SPENT = 8,     /* copies that go on when it is spent */
};

/* The binary logarithm in 256ths, straight between powers of two. */
static uint32_t bits_of(uint32_t value) {
    uint32_t whole = 0;
    while (value >> whole > 1) whole++;
    return whole * MUSTER_BIT + (uint32_t)(((uint64_t)value << 8 >> whole) - 256);
}

static uint32_t magnitude(int32_t value) { return value < 0 ? 0u - (uint32_t)value : (uint32_t)value; }

uint32_t muster_begin_cost(const struct muster_aligner *self, uint32_t step, uint32_t position, int32_t shift) {
    const struct muster_costs *costs = self->costs;
    const struct muster_step *from = &self->paths.steps[step];
    if (shift == from->recent[0]) return costs->shift_again;
    for (uint32_t i = 1; i < MUSTER_RECENT; i++) {
        if (shift == from->recent[i]) return costs->shift_recent;
    }
    uint32_t literals = from->shift == MUSTER_LITERAL ? position - from->position : 0;
    uint32_t distance = magnitude(shift - from->recent[0] + (int32_t)literals);
    if (distance == 0) return costs->shift_insert;
    if (distance > NEAR_MAX) distance = magnitude(shift - from->recent[0]);
    if (distance <= NEAR_MAX) return costs->shift_near + costs->shift_bit * bits_of(distance) / MUSTER_BIT;
    return costs->shift_far;
}

static const struct muster_copy *best_of(const struct muster_aligner *self) {
    const struct muster_copy *best = &self->literal;
    for (uint32_t i = 0; i < self->copy_count; i++) {
        if (self->copies[i].cost < best->cost) best = &self->copies[i];
    }
    return best;
}

static uint32_t worst_copy(const struct muster_aligner *self) {
    uint32_t worst = 0;
    for (uint32_t i = 1; i < self->copy_count; i++) {
        if (self->copies[i].cost > self->copies[worst].cost) worst = i;
    }
    return worst;
}

static void set_path(struct muster_aligner *self, struct muster_copy *copy, int64_t cost, uint32_t parent,
                     uint32_t position, int32_t shift) {
    uint32_t step = muster_paths_add(&self->paths, parent, position, shift);
    if (copy->step != MUSTER_NOWHERE) muster_paths_release(&self->paths, copy->step);
    *copy = (struct muster_copy){cost, shift, step};
}

static void drop_copy(struct muster_aligner *self, uint32_t index) {
    muster_paths_release(&self->paths, self->copies[index].step);
    self->copies[index] = self->copies[--self->copy_count];
}

static struct muster_past *past_of(struct muster_aligner *self, uint32_t position) {
    return &self->past[position / 2 % MUSTER_PAST];
}

/* Holds on to the best path, in the place of one too old to be used. */
static void keep_past(struct muster_aligner *self, const struct muster_copy *best, uint32_t position) {
    struct muster_past *past = past_of(self, position);
    if (position >= 2 * MUSTER_PAST) muster_paths_release(&self->paths, past->step);
    *past = (struct muster_past){best->cost, best->step};
    self->paths.steps[best->step].uses++;
}

/* Begins a copy, found at `position`, where it is cheapest: there, or a little before. */
static void set_beginning(struct muster_aligner *self, struct muster_copy *copy, uint32_t position, int32_t shift) {
    const struct muster_past *past = past_of(self, position);
    int64_t cost = past->cost + muster_begin_cost(self, past->step, position, shift);
    uint32_t begin = position;
    int64_t before = 0;
    uint32_t oldest = position < 2 * MUSTER_PAST ? 0 : position - 2 * (MUSTER_PAST - 1);
    for (uint32_t at = position; at > oldest && self->effort > 0;) {
        at -= 2;
        self->effort--;
        if (!muster_can_copy(self->text, shift, at)) break;
        before += muster_unit_cost(self->input, &self->learned, at, shift);
        if (before > BEFORE_COST_MAX) break;
        past = past_of(self, at);
        int64_t total = past->cost + muster_begin_cost(self, past->step, at, shift) + before;
        if (total >= cost) continue;
        cost = total;
        begin = at;
    }
    set_path(self, copy, cost, past_of(self, begin)->step, begin, shift);
}

/* Begins a copy on the best path, or gives the one with this shift a better beginning. */
static void begin_copy(struct muster_aligner *self, const struct muster_copy *best, uint32_t position, int32_t shift) {
    self->effort -= self->copy_count / 4;
    for (uint32_t i = 0; i < self->copy_count; i++) {
        if (self->copies[i].shift != shift) continue;
        int64_t cost = best->cost + muster_begin_cost(self, best->step, position, shift);
        if (cost < self->copies[i].cost) set_path(self, &self->copies[i], cost, best->step, position, shift);
        return;
    }
    if (self->copy_count == MUSTER_COPIES_MAX) drop_copy(self, worst_copy(self));
    struct muster_copy *copy = &self->copies[self->copy_count++];
    copy->step = MUSTER_NOWHERE;
    set_beginning(self, copy, position, shift);
}

static void rest(struct muster_aligner *self, int32_t shift) {
    for (uint32_t i = 0; i < self->resting_count; i++) {
        if (self->resting[i] == shift) return;
    }
    if (self->resting_count < MUSTER_RESTING_MAX) {
        self->resting[self->resting_count++] = shift;
        return;
    }
    self->resting[self->resting_next] = shift;
    self->resting_next = (self->resting_next + 1) % MUSTER_RESTING_MAX;
}

/* Begins the copies again whose shifts fit here. */
static void wake(struct muster_aligner *self, const struct muster_copy *best, uint32_t position) {
    const struct muster_text *text = self->text;
    const uint8_t *wanted = text->normal + text->origin + position;
    self->effort -= self->resting_count / 8;
    for (uint32_t i = 0; i < self->resting_count; i++) {
        int32_t shift = self->resting[i];
        if (!muster_can_copy(text, shift, position)) continue;
        if (memcmp(text->normal + (position + (uint32_t)shift), wanted, WAKE_LEN) != 0) continue;
        begin_copy(self, best, position, shift);
    }
}

static void begin_copies(struct muster_aligner *self, const struct muster_copy *best, uint32_t position) {
    self->effort += EFFORT_EACH;
    if (self->effort > EFFORT_MAX) self->effort = EFFORT_MAX;
    if (self->end - position < 8 || muster_is_smooth(self, best, position)) return;
    if (self->effort > 0) wake(self, best, position);
    struct muster_choice choice;
    muster_sources_find(self, &choice, best, position);
    for (uint32_t i = 0; i < choice.count; i++) begin_copy(self, best, position, choice.shift[i]);
    while (self->effort <= 0 && self->copy_count > COPIES_SPENT) drop_copy(self, worst_copy(self));
}

/* Copies that fell so far behind that the best path could begin them anew rest until they fit again. */
static void let_rest(struct muster_aligner *self, const struct muster_copy *best, uint32_t position) {
    uint32_t i = 0;
    while (i < self->copy_count) {
        const struct muster_copy *copy = &self->copies[i];
        if (copy->cost > best->cost + self->costs->shift_again + REST_MARGIN &&
            copy->cost > best->cost + muster_begin_cost(self, best->step, position, copy->shift)) {
            rest(self, copy->shift);
            drop_copy(self, i);
        } else {
            i++;
        }
    }
}

static void begin_literals(struct muster_aligner *self, const struct muster_copy *best, uint32_t position) {
    int64_t cost = best->cost + self->costs->literal_begin;
    if (cost < self->literal.cost) set_path(self, &self->literal, cost, best->step, position, MUSTER_LITERAL);
}

static uint32_t literal_cost(const struct muster_aligner *self, uint32_t position) {
    const struct muster_costs *costs = self->costs;
    const uint8_t *target = self->text->raw + self->text->origin + position;
    uint8_t before = position == 0 ? 0 : target[-1];
    return costs->literal_high(costs->tables, before, target[1]) +
           costs->literal_low(costs->tables, target[1], target[0]);
}

static void advance(struct muster_aligner *self, uint32_t position) {
    self->literal.cost += literal_cost(self, position);
    self->effort -= self->copy_count;
    uint32_t i = 0;
    while (i < self->copy_count) {
        struct muster_copy *copy = &self->copies[i];
        if (muster_can_copy(self->text, copy->shift, position)) {
            copy->cost += muster_unit_cost(self->input, &self->learned, position, copy->shift);
            i++;
        } else {
            drop_copy(self, i);
        }
    }
}

/* A place may be a source as soon as its first halfword is written; copies of longer units begin further back. */
static void add_places(struct muster_aligner *self, uint32_t position) {
    const struct muster_aligner_input *input = self->input;
    if (position >= 6) muster_places_add(input->normal_places, self->text, position - 6);
    if (position < 2) return;
    muster_places_add(input->raw_places, self->text, position - 2);
    muster_places_add(input->raw_places, self->text, position - 1);
}

static bool aligner_init(struct muster_aligner *self, const struct muster_aligner_input *input) {
    self->input = input;
    self->text = input->text;
    self->costs = input->costs;
    self->end = input->text->target_len & ~1u;
    self->effort = EFFORT_MAX;
    if (!muster_paths_init(&self->paths)) return false;
    muster_places_rewind(input->normal_places);
    muster_places_rewind(input->raw_places);
    self->literal.step = MUSTER_NOWHERE;
    self->copies[0].step = MUSTER_NOWHERE;
    set_path(self, &self->literal, 0, MUSTER_NOWHERE, 0, MUSTER_LITERAL);
    set_path(self, &self->copies[self->copy_count++], self->costs->first_copy, MUSTER_NOWHERE, 0, 0);
    return true;
}

/* Writes the segments of the path that ends with `last`, the last one first. */
static uint32_t trace(const struct muster_aligner *self, uint32_t last, struct muster_segment *segments) {
    const struct muster_text *text = self->text;
    uint32_t count = 0;
    uint32_t end = self->end;
    for (uint32_t at = last; at != MUSTER_NOWHERE; at = self->paths.steps[at].parent) {
        const struct muster_step *step = &self->paths.steps[at];
        uint32_t len = end - step->position;
        end = step->position;
        if (step->shift == MUSTER_LITERAL || len == 0) continue;
        uint32_t source = step->position + (uint32_t)step->shift;
        bool from_target = source >= text->origin;
        if (from_target) source -= text->origin;
        segments[count++] = (struct muster_segment){step->position, len, source, from_target, false};
    }
    return count;
}

static bool goes_on(const struct muster_segment *segment, const struct muster_segment *next) {
    return segment->from_target == next->from_target && segment->target + segment->len == next->target &&
           segment->source + segment->len == next->source;
}

/* Turns the order round, and joins what goes on without a seam. */
static uint32_t arrange(struct muster_segment *segments, uint32_t count) {
    for (uint32_t i = 0; i < count / 2; i++) {
        struct muster_segment swapped = segments[i];
        segments[i] = segments[count - 1 - i];
        segments[count - 1 - i] = swapped;
    }
    uint32_t kept = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (kept != 0 && goes_on(&segments[kept - 1], &segments[i])) {
            segments[kept - 1].len += segments[i].len;
        } else {
            segments[kept++] = segments[i];
        }
    }
    return kept;
}

static bool run(struct muster_aligner *self, struct muster_segment **segments, uint32_t *count) {
    for (uint32_t position = 0; position < self->end; position += 2) {
        struct muster_copy best = *best_of(self); /* a copy: its place in the list may be given to another */
        keep_past(self, &best, position);
        let_rest(self, &best, position);
        begin_copies(self, &best, position);
        begin_literals(self, &best, position);
        if (self->paths.failed) return false;
        advance(self, position);
        if (best.shift != MUSTER_LITERAL) muster_unit_learn(self->input, &self->learned, position, best.shift);
        add_places(self, position);
    }
    *segments = malloc(((size_t)self->paths.used + 1) * sizeof **segments);
    if (*segments == NULL) return false;
    *count = arrange(*segments, trace(self, best_of(self)->step, *segments));
    return true;
}

bool muster_align(const struct muster_aligner_input *input, struct muster_segment **segments, uint32_t *count) {
    struct muster_aligner *self = calloc(1, sizeof *self);
    if (self == NULL) return false;
    bool done = aligner_init(self, input) && run(self, segments, count);
    muster_paths_free(&self->paths);
    free(self);
    return done;
}
