/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "delta_bits.h"
#include "tables.h"
#include "trace.h"

enum { EVEN = 0x8000 };

/* The linker puts the functions below in front of those of the coder (--wrap). A decision that is not mixed is by the
 * counter that was noted last. One patch at a time. */
static struct {
    uint32_t *words;
    size_t len, size;
    const uint16_t *counter;         /* noted last */
    const struct ota_delta_mix *mix; /* NULL: not a mixed decision */
    const uint16_t *said;            /* the counter noted last before it */
    const int16_t *weights;
} recorder;

uint32_t __real_ota_delta_range_write(struct ota_delta *delta, uint32_t chance, uint32_t wanted);
uint32_t __real_ota_delta_take_mixed(struct ota_delta *delta, const struct ota_delta_mix *mix, int16_t *weights,
                                     uint32_t wanted);
uint32_t __wrap_ota_delta_range_write(struct ota_delta *delta, uint32_t chance, uint32_t wanted);
uint32_t __wrap_ota_delta_take_mixed(struct ota_delta *delta, const struct ota_delta_mix *mix, int16_t *weights,
                                     uint32_t wanted);

void train_note_counter(const uint16_t *counter) { recorder.counter = counter; }

static uint32_t known_number(const int8_t *known) {
    if (known >= ota_delta_known_hits && known < ota_delta_known_hits + TRAIN_KNOWN_HITS) {
        return (uint32_t)(TRAIN_KNOWN_HITS_AT + (known - ota_delta_known_hits));
    }
    const int8_t *bits = &ota_delta_known_bits[0][0][0][0];
    if (known >= bits && known < bits + sizeof ota_delta_known_bits) {
        return (uint32_t)(TRAIN_KNOWN_BITS_AT + (known - bits));
    }
    for (uint32_t i = 0; i < TRAIN_BYTE_TABLES; i++) {
        const int8_t *upper = &ota_delta_byte_tables[i].upper[0][0], *lower = &ota_delta_byte_tables[i].lower[0][0];
        uint32_t first = i * TRAIN_KNOWN_PER_TABLE;
        if (known >= upper && known < upper + 256 * 16) return first + (uint32_t)(known - upper);
        if (known >= lower && known < lower + 4096 * 16) return first + 256 * 16 + (uint32_t)(known - lower);
    }
    return TRAIN_KNOWN;
}

static void put(uint32_t word) {
    if (recorder.len == recorder.size) {
        recorder.size = recorder.size * 2 + 4096;
        recorder.words = realloc(recorder.words, recorder.size * sizeof *recorder.words);
        if (recorder.words == NULL) abort();
    }
    recorder.words[recorder.len++] = word;
}

static uint32_t set_number(const struct ota_delta_kept *kept) {
    return (uint32_t)(recorder.weights - kept->weights[0]) / OTA_DELTA_MIX_INPUTS;
}

static void put_counter(const struct ota_delta *delta, const uint16_t *counter) {
    put((uint32_t)(counter - delta->counters));
}

/* What is in no table, the counter says that was noted before the decision. */
static void put_known(const struct ota_delta *delta, const int8_t *known) {
    uint32_t number = known_number(known);
    if (number == TRAIN_KNOWN) {
        put_counter(delta, recorder.said);
    } else {
        put(TRAIN_INPUT_IS_KNOWN | number);
    }
}

static void put_mixed(const struct ota_delta *delta, uint32_t bit) {
    const struct ota_delta_mix *mix = recorder.mix;
    put(train_word(TRAIN_MIXED, bit, set_number(&delta->kept)));
    put_counter(delta, mix->counters[0]);
    put_counter(delta, mix->counters[1]);
    put_known(delta, mix->known[0]);
    put_known(delta, mix->known[1]);
}

uint32_t __wrap_ota_delta_take_mixed(struct ota_delta *delta, const struct ota_delta_mix *mix, int16_t *weights,
                                     uint32_t wanted) {
    recorder.mix = mix;
    recorder.said = recorder.counter;
    recorder.weights = weights;
    uint32_t bit = __real_ota_delta_take_mixed(delta, mix, weights, wanted);
    recorder.mix = NULL;
    return bit;
}

uint32_t __wrap_ota_delta_range_write(struct ota_delta *delta, uint32_t chance, uint32_t wanted) {
    uint32_t bit = wanted != 0;
    if (recorder.mix != NULL) {
        put_mixed(delta, bit);
    } else if (chance == EVEN) { /* no counter's chance */
        put(train_word(TRAIN_EVEN, 0, 1));
    } else {
        put(train_word(TRAIN_COUNTER, bit, (uint32_t)(recorder.counter - delta->counters)));
    }
    return __real_ota_delta_range_write(delta, chance, wanted);
}

void train_record_begin(void) {
    free(recorder.words);
    recorder.words = NULL;
    recorder.len = recorder.size = 0;
    recorder.mix = NULL;
}

uint32_t *train_record_end(size_t *len) {
    uint32_t *words = recorder.words;
    *len = recorder.len;
    recorder.words = NULL;
    train_record_begin();
    return words;
}
