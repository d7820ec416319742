/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CHIP_CLOCK_H
#define CHIP_CLOCK_H

#include <stdint.h>

/* Brings the CPU to 120 MHz from the crystal (`hse_hz`, a whole number of MHz from 4 to 26), whatever ran before: from
 * the internal oscillator through the PLL when the crystal does not start, and stays at its 16 MHz when the PLL does
 * not lock either. Never hangs. Anything that depends on a clock asks the functions below afterwards. */
void chip_clock_start(uint32_t hse_hz);

uint32_t chip_clock_cpu_hz(void);
uint32_t chip_clock_apb1_hz(void);
uint32_t chip_clock_apb2_hz(void);

#endif
