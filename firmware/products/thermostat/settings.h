/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SETTINGS_H
#define SETTINGS_H

#include <stdbool.h>
#include <stdint.h>

#include "schedule.h"

/* What the user has set. It lies in product storage and outlives resets and updates: keys and forms below never change
 * their meaning from version to version, a new setting gets a new key. */
struct settings {
    int32_t set_point_cc; /* hundredths of a degree */
    struct schedule schedule;
};

/* Missing or unreadable settings become their defaults. */
void settings_load(struct settings *settings);

/* False, with a log line, when it could not be stored: the setting holds until the next reset. */
bool settings_save_set_point(const struct settings *settings);
bool settings_save_schedule(const struct settings *settings);

/* Version 2 and above. */
bool settings_load_away(void);
bool settings_save_away(bool is_away);

#endif
