/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AWAY_H
#define AWAY_H

#include <stdbool.h>
#include <stdint.h>

/* Nobody is at home: the house is only kept from freezing. */
struct away {
    bool is_away;
};

void away_start(struct away *away);

/* "on" or "off"; false for anything else. */
bool away_set(struct away *away, const char *text);

/* The target that rules when `wanted_cc` would rule otherwise. */
int32_t away_target(const struct away *away, int32_t wanted_cc);

#endif
