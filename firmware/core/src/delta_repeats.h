/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OTA_DELTA_REPEATS_H
#define OTA_DELTA_REPEATS_H

#include "ota/delta.h"

/* Substitutions of halfwords, which often happen more than once: a register, a constant, an offset in a struct. */

/* What replaced this halfword of a copy the last time; NULL when it is not known. */
const struct ota_delta_substitution *ota_delta_substitution(const struct ota_delta_kept *kept, uint32_t halfword);

void ota_delta_note_substitution(struct ota_delta_kept *kept, uint32_t halfword, uint32_t to);

#endif
