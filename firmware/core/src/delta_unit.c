/* SPDX-License-Identifier: Apache-2.0 */
#include "delta_unit.h"

#include <stddef.h>

#include "delta_bits.h"
#include "delta_direction.h"
#include "delta_halfword.h"
#include "delta_map.h"
#include "delta_output.h"
#include "delta_place.h"
#include "delta_predict.h"
#include "delta_repeats.h"
#include "delta_table.h"
#include "ota/bytes.h"

void ota_delta_put_halfword(struct ota_delta *delta, uint32_t halfword) {
    struct ota_delta_kept *kept = &delta->kept;
    uint32_t half = OTA_DELTA_WHOLE;
    if (kept->half == OTA_DELTA_FIRST_HALF) {
        half = OTA_DELTA_SECOND_HALF;
    } else if (halfword >= 0xE800) {
        half = OTA_DELTA_FIRST_HALF;
    }
    kept->half = (uint8_t)half;
    kept->before_last = kept->last;
    kept->last = (uint16_t)halfword;
    ota_delta_put(delta, halfword, 2);
}

void ota_delta_put_word(struct ota_delta *delta, uint32_t word) {
    struct ota_delta_kept *kept = &delta->kept;
    kept->half = OTA_DELTA_SECOND_HALF;
    kept->before_last = (uint16_t)word;
    kept->last = (uint16_t)(word >> 16);
    ota_delta_put(delta, word, 4);
}

static void put_unit(struct ota_delta *delta, uint32_t value) {
    struct ota_delta_kept *kept = &delta->kept;
    kept->source += kept->prediction.len;
    if (kept->prediction.len == 4) {
        ota_delta_put_word(delta, value);
    } else {
        ota_delta_put_halfword(delta, value);
    }
}

static const uint8_t *look(struct ota_delta *delta) {
    ota_delta_pass_pointer(delta);
    const uint8_t *source = ota_delta_source_view(delta, delta->kept.source);
    ota_delta_predict(delta, source);
    return source;
}

enum ota_status ota_delta_unit_look(struct ota_delta *delta, struct ota_delta_prediction *prediction) {
    (void)look(delta);
    *prediction = delta->kept.prediction;
    return (enum ota_status)delta->kept.status;
}

enum ota_status ota_delta_unit_as_predicted(struct ota_delta *delta) {
    (void)look(delta);
    put_unit(delta, delta->kept.prediction.bytes);
    return (enum ota_status)delta->kept.status;
}

/* ---- is it as predicted? ---- */

/* 0, 1, 2 to 3, 4 to 7...: at most 7. */
static uint32_t magnitude(uint32_t value) {
    uint32_t bits = 0;
    for (; value != 0 && bits < 7; value >>= 1) bits++;
    return bits;
}

static uint32_t decide_hit(struct ota_delta *delta, uint32_t key, uint32_t wanted) {
    struct ota_delta_kept *kept = &delta->kept;
    const struct ota_delta_prediction *prediction = &kept->prediction;
    uint32_t class = prediction->class, run = magnitude(kept->hit_run), confidence = prediction->confidence;
    uint32_t recent = kept->hit_history & 7, keyed = kept->key_history[key] & 7u;
    if (ota_delta_class_names(class)) {
        recent = (confidence << 1 | (recent & 1)) & 7;
        keyed = confidence << 1 | (run > 4);
    }
    uint32_t known = 256 + class * 4 + confidence;
    if (class == OTA_DELTA_PLAIN) known = prediction->bytes >> 8;

    uint16_t *counters = delta->counters;
    struct ota_delta_mix mix;
    mix.counters[0] = &counters[OTA_DELTA_AT_HIT_RECENT + class * 8 + recent];
    mix.counters[1] = &counters[OTA_DELTA_AT_HIT_RUN + class * 8 + run];
    uint16_t *of_key = &counters[OTA_DELTA_AT_HIT_KEY + keyed * 16 + class];
    int8_t said = (int8_t)ota_delta_stretch(ota_delta_counter_chance(of_key));
    mix.known[0] = &said;
    mix.known[1] = &ota_delta_known_hits[known];
    uint32_t hit = ota_delta_mixed(delta, &mix, kept->weights[class], wanted);
    ota_delta_counter_move(of_key, hit, OTA_DELTA_MIXED_SEEN_MAX);
    return hit;
}

static void note_hit(struct ota_delta_kept *kept, uint32_t key, uint32_t hit) {
    kept->hit_history = (uint8_t)((uint32_t)kept->hit_history << 1 | (hit ^ 1));
    kept->hit_run = hit != 0 ? kept->hit_run + 1 : 0;
    if (kept->prediction.len == 2)
        kept->key_history[key] = (uint8_t)((uint32_t)kept->key_history[key] << 1 | (hit ^ 1));
}

/* ---- what is it instead? ---- */

static void learn(struct ota_delta_kept *kept, uint32_t place) {
    if (kept->view_is_base != 0) ota_delta_map_learn(kept, kept->prediction.named, place);
}

/* The place that `unit`, in the prediction's stead, names. */
static uint32_t place_of(const struct ota_delta_prediction *prediction, uint32_t unit) {
    return ota_thumb_target(prediction->thumb, unit, prediction->origin);
}

/* What the unit is when it names another place. */
static uint32_t elsewhere(const struct ota_delta_prediction *prediction, uint32_t place) {
    return ota_thumb_naming(prediction->thumb, prediction->bytes, prediction->origin, place);
}

/* Whether `wanted` differs from the prediction in the place that it names and in nothing else. */
static bool wants_place(const struct ota_delta_kept *kept, uint32_t wanted) {
    const struct ota_delta_prediction *prediction = &kept->prediction;
    uint32_t place = place_of(prediction, wanted);
    if (((wanted ^ prediction->bytes) & 1) != 0 || elsewhere(prediction, place) != wanted) return false;
    uint32_t change = place - place_of(prediction, prediction->bytes);
    bool is_variable = prediction->class >= OTA_DELTA_VARIABLE;
    if (is_variable && change + OTA_DELTA_LENGTH_MAX > 2 * OTA_DELTA_LENGTH_MAX) return false;
    if (is_variable) return place - OTA_DELTA_RAM_START < OTA_DELTA_RAM_LEN;
    return place < kept->header.target.len;
}

/* A reference to another place than predicted. */
static uint32_t take_place(struct ota_delta *delta, uint32_t wanted) {
    struct ota_delta_kept *kept = &delta->kept;
    const struct ota_delta_prediction *prediction = &kept->prediction;
    uint32_t predicted = place_of(prediction, prediction->bytes);
    bool is_variable = prediction->class >= OTA_DELTA_VARIABLE;
    uint32_t odd = prediction->thumb == OTA_THUMB_NONE ? predicted & 1 : 0;
    uint32_t even = predicted - odd, place = place_of(prediction, wanted) - odd;
    /* a copied word need not have been a pointer */
    bool is_far = predicted + OTA_DELTA_LENGTH_MAX > 2 * OTA_DELTA_LENGTH_MAX;
    if (is_far && !is_variable) even = kept->recent_places[0];
    if (is_variable) {
        place = ota_delta_place_near(delta, OTA_DELTA_NUMBER_VARIABLE, even, place);
    } else {
        place =
            ota_delta_place(delta, even, kept->view_is_base != 0 ? prediction->named & ~1u : OTA_DELTA_NOWHERE, place);
    }
    place += odd;
    learn(kept, place);
    return elsewhere(prediction, place);
}

static uint32_t take_predicted_halfword(struct ota_delta *delta, uint32_t predicted, uint32_t wanted) {
    struct ota_delta_guess guess = {.has_prediction = true, .guessed = (uint16_t)predicted};
    return ota_delta_halfword(delta, &guess, wanted & 0xFFFF);
}

static uint32_t take_other_word(struct ota_delta *delta, uint32_t wanted) {
    const struct ota_delta_kept *kept = &delta->kept;
    uint32_t predicted = kept->prediction.bytes, class = kept->prediction.class;
    if (ota_delta_class_names_far(class) &&
        ota_delta_bit(delta, OTA_DELTA_AT_OTHER_PLACE + class, OTA_DELTA_ENCODES && wants_place(kept, wanted)) != 0) {
        return take_place(delta, wanted);
    }
    uint32_t low = take_predicted_halfword(delta, predicted, wanted);
    return low | take_predicted_halfword(delta, predicted >> 16, wanted >> 16) << 16;
}

/* The same substitution or, for instructions of the same kind, the same difference as the last time. */
static bool take_repeated(struct ota_delta *delta, uint32_t key, uint32_t wanted, uint32_t *value) {
    struct ota_delta_kept *kept = &delta->kept;
    const struct ota_delta_substitution *known = ota_delta_substitution(kept, kept->prediction.bytes);
    int32_t difference = kept->key_difference[key];
    uint32_t context = (key >= OTA_DELTA_KEYS / 2 ? 2u : 0u) + (kept->key_history[key] >> 1 & 1);
    if (known != NULL) {
        *value = known->to;
    } else {
        if (difference == 0) return false;
        *value = (kept->prediction.bytes + (uint32_t)difference) & 0xFFFF;
        context += 4;
    }
    return ota_delta_bit(delta, OTA_DELTA_AT_REPEATED + context, wanted == *value) != 0;
}

static uint32_t take_other_halfword(struct ota_delta *delta, uint32_t key, uint32_t wanted) {
    struct ota_delta_kept *kept = &delta->kept;
    const struct ota_delta_prediction *prediction = &kept->prediction;
    uint32_t value;
    if (prediction->class == OTA_DELTA_ODD || !take_repeated(delta, key, wanted, &value)) {
        value = take_predicted_halfword(delta, prediction->bytes, wanted);
    }
    bool is_same_kind = prediction->thumb != OTA_THUMB_NONE && ota_thumb_class_narrow(value) == prediction->thumb;
    if (is_same_kind) learn(kept, place_of(prediction, value));
    ota_delta_note_substitution(kept, prediction->bytes, value);
    kept->key_difference[key] = (int8_t)(uint8_t)(value - prediction->bytes);
    return value;
}

static uint32_t take_other(struct ota_delta *delta, uint32_t key, uint32_t wanted) {
    struct ota_delta_kept *kept = &delta->kept;
    const struct ota_delta_prediction *prediction = &kept->prediction;
    if (prediction->bytes != prediction->raw) {
        uint32_t counter = OTA_DELTA_AT_UNCHANGED + (prediction->class & 7) * 4u + prediction->confidence;
        if (ota_delta_bit(delta, counter, wanted == prediction->raw) != 0) {
            if (prediction->thumb == OTA_THUMB_NONE) learn(kept, prediction->named);
            return prediction->raw;
        }
    }
    return prediction->len == 4 ? take_other_word(delta, wanted) : take_other_halfword(delta, key, wanted);
}

/* What instructions of a kind have in common: the upper bits of a halfword, or of the one before when that one is the
 * first half of a long instruction. */
static uint32_t unit_key(const struct ota_delta_kept *kept, const uint8_t *source) {
    if (kept->view_before >= 2 && source[-1] >= 0xE8) {
        return OTA_DELTA_KEYS / 2 + (ota_load16_le(source - 2) >> 4 & (OTA_DELTA_KEYS / 2 - 1));
    }
    return kept->prediction.bytes >> 11 & (OTA_DELTA_KEYS / 2 - 1);
}

void ota_delta_unit_step(struct ota_delta *delta) {
    struct ota_delta_kept *kept = &delta->kept;
    const uint8_t *source = look(delta);
    uint32_t value = kept->prediction.bytes;
    if ((kept->chunk & 1) == 0) {
        uint32_t wanted = ota_delta_wanted_bytes(delta, kept->prediction.len), key = unit_key(kept, source);
        uint32_t hit = decide_hit(delta, key, wanted == value);
        note_hit(kept, key, hit);
        if (hit == 0) value = take_other(delta, key, wanted);
    }
    put_unit(delta, value);
}
