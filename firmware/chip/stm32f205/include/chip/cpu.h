/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CHIP_CPU_H
#define CHIP_CPU_H

#include <stdint.h>

/* Interrupts off; the answer goes back to chip_irq_restore(). Calls nest. */
uint32_t chip_irq_save(void);
void chip_irq_restore(uint32_t saved);

void chip_irq_enable(uint32_t irq);

/* Sleeps until the next interrupt. */
void chip_idle(void);

/* Resets the chip by software. */
_Noreturn void chip_restart(void);

/* Starts the image whose vector table is at `addr`: every interrupt off and none pending, SysTick stopped, VTOR and
 * stack set. Clocks and pins stay as they are. */
_Noreturn void chip_start_image(uint32_t addr);

#endif
