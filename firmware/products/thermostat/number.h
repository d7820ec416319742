/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NUMBER_H
#define NUMBER_H

#include <stdbool.h>
#include <stdint.h>

/* Reads numbers out of text. Each function takes what it reads off the text's front; false, and nothing taken, when it
 * is not there. */

/* An unsigned number of at most `digits_max` digits. */
bool number_take(const char **text, uint32_t digits_max, uint32_t *value);

/* A temperature such as "21", "21.5" or "7.25": hundredths of a degree, 5 to 35 degrees. */
bool number_take_temperature(const char **text, int32_t *value_cc);

/* One character. */
bool number_take_char(const char **text, char expected);

void number_skip_spaces(const char **text);

#endif
