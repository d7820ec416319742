/* SPDX-License-Identifier: Apache-2.0 */
#include "console.h"

#include <string.h>

#include "chip/uart.h"

void console_text(const char *text) { chip_uart_write((const uint8_t *)text, strlen(text)); }

void console_number(int32_t value) {
    char digits[12];
    size_t at = sizeof digits;
    uint32_t magnitude = value < 0 ? 0u - (uint32_t)value : (uint32_t)value;
    do {
        digits[--at] = (char)('0' + magnitude % 10u);
        magnitude /= 10u;
    } while (magnitude != 0);
    if (value < 0) digits[--at] = '-';
    chip_uart_write((const uint8_t *)digits + at, sizeof digits - at);
}
