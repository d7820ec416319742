/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CHIP_FLASH_H
#define CHIP_FLASH_H

#include <stdbool.h>
#include <stdint.h>

#include "ota/flash.h"

/* The chip's flash as the core's port. It reads everything and refuses to change sectors 0 and 1 (the bootloader). The
 * controller is locked again after each operation. Interrupts stay on; they are served late while the CPU stalls (16 us
 * a word, up to seconds an erase), so a UART may overrun meanwhile. */
extern const struct ota_flash chip_flash;

/* Operations that failed since the start. */
uint32_t chip_flash_errors(void);

/* True when every word of the sector is 0xFFFFFFFF. */
bool chip_flash_is_blank(uint32_t sector);

#endif
