/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OTA_DELTA_HALFWORD_H
#define OTA_DELTA_HALFWORD_H

#include "ota/delta.h"

/* Halfwords that are not as predicted, or that no copy makes: docs/spec/patch.md section 5.4. */

struct ota_delta_guess {
    bool has_prediction; /* a copy predicted `guessed`, and it is something else */
    uint16_t guessed;
    bool may_be_call; /* it may be a BL to an even place in the image, coded apart */
    bool wants_call;
    bool is_call; /* the answer: then the halfword has not been coded */
};

/* The next halfword. It is for the caller to note it. */
uint32_t ota_delta_halfword(struct ota_delta *delta, struct ota_delta_guess *guess, uint32_t wanted);

#endif
