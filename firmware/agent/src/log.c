/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <string.h>

#include "agent/agent.h"
#include "chip/uart.h"
#include "format.h"
#include "log_ring.h"

enum { LINE_MAX = 128 };

static size_t prefix(char *line, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    size_t len = agent_format(line, LINE_MAX, format, arguments);
    va_end(arguments);
    return len;
}

void agent_log(enum agent_level level, const char *format, ...) {
    static const char *const names[] = {"debug", "info", "warn", "error"};
    char line[LINE_MAX + 2];
    size_t start = prefix(line, "%lu %s ", (unsigned long)agent_time_ms(), names[level]);
    size_t len = start;
    va_list arguments;
    va_start(arguments, format);
    len += agent_format(line + len, LINE_MAX - len, format, arguments);
    va_end(arguments);
    for (size_t i = 0; i < len; i++) {
        if (line[i] == '\0' || line[i] == '\n' || line[i] == '\r') line[i] = ' '; /* 0x00 would begin a frame */
    }
    if (level >= AGENT_WARN) log_ring_add((uint8_t)level, line + start, (uint32_t)(len - start));
    memcpy(line + len, "\r\n", 2);
    chip_uart_write((const uint8_t *)line, len + 2);
}
