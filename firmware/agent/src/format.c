/* SPDX-License-Identifier: Apache-2.0 */
#include "format.h"

#include <stdbool.h>
#include <string.h>

enum { DIGITS_MAX = 20 };

struct sink {
    char *out;
    size_t room;
    size_t len;
};

static void put(struct sink *sink, char c) {
    if (sink->len + 1 < sink->room) sink->out[sink->len++] = c;
}

static void put_padded(struct sink *sink, const char *text, size_t len, size_t width, char pad) {
    for (size_t i = len; i < width; i++) put(sink, pad);
    for (size_t i = 0; i < len; i++) put(sink, text[i]);
}

static void put_number(struct sink *sink, unsigned long value, bool negative, unsigned base, size_t width, bool zeros) {
    char digits[DIGITS_MAX];
    size_t at = sizeof digits;
    do {
        digits[--at] = "0123456789abcdef"[value % base];
        value /= base;
    } while (value != 0);
    if (negative && zeros) {
        put(sink, '-');
        if (width > 0) width--;
    } else if (negative) {
        digits[--at] = '-';
    }
    put_padded(sink, digits + at, sizeof digits - at, width, zeros ? '0' : ' ');
}

size_t agent_format(char *out, size_t room, const char *format, va_list arguments) {
    struct sink sink = {out, room, 0};
    if (room == 0) return 0;
    for (const char *at = format; *at != '\0'; at++) {
        if (*at != '%') {
            put(&sink, *at);
            continue;
        }
        const char *start = at++;
        bool zeros = *at == '0';
        size_t width = 0;
        bool is_long = false;
        while (*at >= '0' && *at <= '9') width = width * 10u + (size_t)(*at++ - '0');
        while (*at == 'l') {
            is_long = true;
            at++;
        }
        switch (*at) {
        case 'd':
        case 'i': {
            long value = is_long ? va_arg(arguments, long) : va_arg(arguments, int);
            unsigned long magnitude = value < 0 ? 0ul - (unsigned long)value : (unsigned long)value;
            put_number(&sink, magnitude, value < 0, 10, width, zeros);
            break;
        }
        case 'u':
        case 'x': {
            unsigned long value = is_long ? va_arg(arguments, unsigned long) : va_arg(arguments, unsigned);
            put_number(&sink, value, false, *at == 'x' ? 16 : 10, width, zeros);
            break;
        }
        case 'c':
            put(&sink, (char)va_arg(arguments, int));
            break;
        case 's': {
            const char *text = va_arg(arguments, const char *);
            put_padded(&sink, text, strlen(text), width, ' ');
            break;
        }
        case '%':
            put(&sink, '%');
            break;
        default: /* not ours, or the format ends here */
            while (start < at) put(&sink, *start++);
            if (*at == '\0')
                at--;
            else
                put(&sink, *at);
            break;
        }
    }
    sink.out[sink.len] = '\0';
    return sink.len;
}
