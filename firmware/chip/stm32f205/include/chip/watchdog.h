/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CHIP_WATCHDOG_H
#define CHIP_WATCHDOG_H

#include <stdint.h>

/* Starts the independent watchdog (it cannot be stopped but by a reset). `seconds`: 1 to 26, by the nominal 32 kHz
 * oscillator; a real one is between 17 and 47 kHz, so the true time is 0.68 to 1.9 times as long. */
void chip_watchdog_start(uint32_t seconds);

void chip_watchdog_feed(void);

#endif
