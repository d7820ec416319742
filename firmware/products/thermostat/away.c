/* SPDX-License-Identifier: Apache-2.0 */
#include "away.h"

#include <string.h>

#include "settings.h"

enum { AWAY_CC = 1200 };

void away_start(struct away *away) { away->is_away = settings_load_away(); }

bool away_set(struct away *away, const char *text) {
    bool is_on = strcmp(text, "on") == 0;
    if (!is_on && strcmp(text, "off") != 0) return false;
    away->is_away = is_on;
    return settings_save_away(is_on);
}

int32_t away_target(const struct away *away, int32_t wanted_cc) {
    return away->is_away && wanted_cc > AWAY_CC ? AWAY_CC : wanted_cc;
}
