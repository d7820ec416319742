/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CHIP_TIME_H
#define CHIP_TIME_H

#include <stdint.h>

/* Starts the 1 ms tick (SysTick); needs running clocks. Time stands still while the flash stalls the CPU for longer
 * than a tick, so it may run behind by the length of an erase. */
void chip_time_start(void);

/* Milliseconds since chip_time_start(), modulo 2^32: compare by subtraction. */
uint32_t chip_time_ms(void);

/* For the vector table. */
void chip_time_interrupt(void);

#endif
