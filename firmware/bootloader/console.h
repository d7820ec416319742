/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BOOTLOADER_CONSOLE_H
#define BOOTLOADER_CONSOLE_H

#include <stdint.h>

/* Plain text on the serial console. */
void console_text(const char *text);
void console_number(int32_t value);

#endif
