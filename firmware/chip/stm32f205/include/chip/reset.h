/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CHIP_RESET_H
#define CHIP_RESET_H

#include <stdint.h>

/* Why the chip started: docs/spec/boot.md section 5, "Reset cause". */
enum chip_reset_cause {
    CHIP_RESET_POWER = 0, /* power-on, brown-out, a lone pin reset */
    CHIP_RESET_WATCHDOG = 1,
    CHIP_RESET_FAULT = 2,
    CHIP_RESET_SOFTWARE = 3,
};

struct chip_reset {
    enum chip_reset_cause cause;
    uint8_t exception; /* of a fault: its exception number, 0 otherwise */
};

/* For the bootloader, once: reads and clears the chip's flags and the crash register, and leaves the answer in the boot
 * register for the image. Opens the backup domain. */
struct chip_reset chip_reset_take(void);

/* For the image: what the bootloader left. */
struct chip_reset chip_reset_told(void);

#endif
