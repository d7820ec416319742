/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OTA_DELTA_HALFWORD_H
#define OTA_DELTA_HALFWORD_H

#include "ota/delta.h"

/* Halfwords that are not as predicted, or that no copy makes: docs/spec/patch.md section 5.4. */

struct ota_delta_guess {
    bool has_prediction; /* a copy predicted `guessed`, and it is something else */
    bool has_history;    /* the last copy, had it gone on, would make `guessed` */
    uint16_t guessed;
    bool may_be_call; /* it may be a BL to an even place in the image, coded apart */
    bool wants_call;
    bool is_call; /* the answer: then the halfword has not been coded */
};

/* Finds what the last copy would make here. */
void ota_delta_guess_from_history(struct ota_delta *delta, struct ota_delta_guess *guess);

/* The next halfword. It is for the caller to note it. */
uint32_t ota_delta_halfword(struct ota_delta *delta, struct ota_delta_guess *guess, uint32_t wanted);

#endif
