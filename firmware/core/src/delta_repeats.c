/* SPDX-License-Identifier: Apache-2.0 */
#include "delta_repeats.h"

/* Fibonacci hashing: Knuth, The Art of Computer Programming, volume 3, section 6.4. */
static uint32_t slot_of(uint32_t halfword) { return (halfword * 0x9E3779B1u) >> 28; }

_Static_assert((int)OTA_DELTA_SUBSTITUTIONS == 16, "four bits of hash");

const struct ota_delta_substitution *ota_delta_substitution(const struct ota_delta_kept *kept, uint32_t halfword) {
    const struct ota_delta_substitution *known = &kept->substitutions[slot_of(halfword)];
    return known->to != 0 && known->from == halfword ? known : 0;
}

void ota_delta_note_substitution(struct ota_delta_kept *kept, uint32_t halfword, uint32_t to) {
    kept->substitutions[slot_of(halfword)] = (struct ota_delta_substitution){(uint16_t)halfword, (uint16_t)to};
}
