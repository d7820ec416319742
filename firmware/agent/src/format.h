/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_FORMAT_H
#define AGENT_FORMAT_H

#include <stdarg.h>
#include <stddef.h>

/* A small vsnprintf: %d %i %u %x %c %s %% with l, width and leading zeros. Writes at most `room` - 1 characters and a
 * zero byte; returns how many it wrote. An unknown conversion is copied as it stands. */
size_t agent_format(char *out, size_t room, const char *format, va_list arguments);

#endif
