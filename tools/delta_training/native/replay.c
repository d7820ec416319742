/* SPDX-License-Identifier: Apache-2.0 */
#include "replay.h"

#include <math.h>
#include <string.h>

#include "delta_mix.h"
#include "trace.h"

enum {
    CHANCE_MIN = 16,
    CHANCE_MAX = 65520,
    USES_MAX = 3000,
};

struct player {
    struct ota_delta_kept kept;
    uint16_t counters[OTA_DELTA_COUNTERS_LARGE];
    double uses[OTA_DELTA_WEIGHT_SETS];
};

static double bits_of[65537];

static void fill_bits(void) {
    if (bits_of[0] != 0) return;
    for (uint32_t i = 0; i <= 65536; i++) bits_of[i] = -log2((i == 0 ? 0.5 : i) / 65536.0);
}

/* One mixed decision; the words behind it are its inputs. */
static double play_mixed(struct player *player, const struct train_trace *trace, const uint32_t *words,
                         const uint16_t *entry_of, const double *values, struct train_sums *sums) {
    uint32_t set = train_word_number(words[0]), bit = train_word_bit(words[0]);
    int16_t *weights = player->kept.weights[set];
    int32_t stretched[OTA_DELTA_MIX_INPUTS], sum = 0;
    for (uint32_t i = 0; i < OTA_DELTA_MIX_INPUTS; i++) {
        uint32_t input = words[1 + i];
        if ((input & TRAIN_INPUT_IS_KNOWN) != 0) {
            stretched[i] = (int32_t)lrint(values[entry_of[input & ~(uint32_t)TRAIN_INPUT_IS_KNOWN]]);
        } else {
            stretched[i] = ota_delta_stretch(train_plain_counter_chance(&player->counters[input]));
        }
        sum += weights[i] * stretched[i];
    }
    uint32_t chance = ota_delta_squash(sum >> OTA_DELTA_SUM_SHIFT);
    double p = chance / 65536.0, error = bit - p, bend = p * (1 - p);
    double scale = set >= OTA_DELTA_HIT_SETS ? trace->bytes_weight : trace->weight;
    int32_t step_error = (int32_t)(bit << 16) - (int32_t)chance;
    for (uint32_t i = 0; i < OTA_DELTA_MIX_INPUTS; i++) {
        uint32_t input = words[1 + i];
        if ((input & TRAIN_INPUT_IS_KNOWN) != 0) {
            uint32_t entry = entry_of[input & ~(uint32_t)TRAIN_INPUT_IS_KNOWN];
            double weight = weights[i] / 16384.0;
            sums->slope[entry] += scale * weight * error;
            sums->bend[entry] += scale * weight * weight * bend;
        } else {
            ota_delta_counter_update(&player->counters[input], bit, OTA_DELTA_MIXED_SEEN_MAX);
        }
        int32_t step = stretched[i] * step_error >> OTA_DELTA_WEIGHT_RATE;
        int32_t weight = weights[i] + step;
        weights[i] = (int16_t)(weight > INT16_MAX ? INT16_MAX : weight < INT16_MIN ? INT16_MIN : weight);
    }
    player->uses[set]++;
    chance = chance < CHANCE_MIN ? CHANCE_MIN : chance > CHANCE_MAX ? CHANCE_MAX : chance;
    return bits_of[bit != 0 ? chance : 65536 - chance];
}

static void note_weights(struct player *player, const struct train_trace *trace, struct train_sums *sums) {
    for (uint32_t set = 0; set < OTA_DELTA_WEIGHT_SETS; set++) {
        double uses = (player->uses[set] < USES_MAX ? player->uses[set] : USES_MAX) * trace->weight;
        for (uint32_t i = 0; i < OTA_DELTA_MIX_INPUTS; i++)
            sums->last_weights[set][i] += uses * player->kept.weights[set][i] / 16384.0;
        sums->uses[set] += uses;
    }
}

double train_replay(const struct train_trace *trace, const uint16_t *entry_of, const double *values,
                    struct train_sums *sums) {
    static struct player player;
    memset(&player, 0, sizeof player);
    fill_bits();
    ota_delta_model_begin(&player.kept, player.counters, OTA_DELTA_COUNTERS_LARGE);
    double bits = 0;
    for (size_t at = 0; at < trace->len;) {
        uint32_t word = trace->words[at], number = train_word_number(word), bit = train_word_bit(word);
        switch ((enum train_decision)train_word_decision(word)) {
        case TRAIN_COUNTER: {
            uint16_t *counter = &player.counters[number];
            uint32_t chance = train_plain_counter_chance(counter) << 4 | 8;
            bits += bits_of[bit != 0 ? chance : 65536 - chance];
            ota_delta_counter_update(counter, bit, OTA_DELTA_BIT_SEEN_MAX);
            break;
        }
        case TRAIN_MIXED:
            bits += play_mixed(&player, trace, trace->words + at, entry_of, values, sums);
            break;
        case TRAIN_EVEN:
            bits += number;
            break;
        }
        at += 1 + (train_word_decision(word) == TRAIN_MIXED ? OTA_DELTA_MIX_INPUTS : 0);
    }
    note_weights(&player, trace, sums);
    sums->cost += bits * trace->weight;
    return bits;
}
