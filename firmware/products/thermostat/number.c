/* SPDX-License-Identifier: Apache-2.0 */
#include "number.h"

enum { LOWEST_CC = 500, HIGHEST_CC = 3500 };

static bool is_digit(char c) { return c >= '0' && c <= '9'; }

bool number_take(const char **text, uint32_t digits_max, uint32_t *value) {
    const char *at = *text;
    uint32_t result = 0;
    while (is_digit(*at) && (uint32_t)(at - *text) < digits_max) result = result * 10u + (uint32_t)(*at++ - '0');
    if (at == *text || is_digit(*at)) return false;
    *text = at;
    *value = result;
    return true;
}

bool number_take_char(const char **text, char expected) {
    if (**text != expected) return false;
    (*text)++;
    return true;
}

void number_skip_spaces(const char **text) {
    while (**text == ' ') (*text)++;
}

/* One or two digits behind a point, as hundredths. */
static bool take_fraction(const char **text, uint32_t *hundredths) {
    const char *start = *text;
    if (!number_take(text, 2, hundredths)) return false;
    if (*text - start == 1) *hundredths *= 10u;
    return true;
}

bool number_take_temperature(const char **text, int32_t *value_cc) {
    const char *at = *text;
    uint32_t degrees;
    uint32_t hundredths = 0;
    if (!number_take(&at, 2, &degrees)) return false;
    if (number_take_char(&at, '.') && !take_fraction(&at, &hundredths)) return false;
    int32_t result = (int32_t)(degrees * 100u + hundredths);
    if (result < LOWEST_CC || result > HIGHEST_CC) return false;
    *text = at;
    *value_cc = result;
    return true;
}
