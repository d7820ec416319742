/* SPDX-License-Identifier: Apache-2.0 */
#include "chip/time.h"

#include "chip/clock.h"
#include "chip/registers.h"

enum { CSR_ENABLE = 1, CSR_TICKINT = 2, CSR_CPU_CLOCK = 4 };

static volatile uint32_t now_ms;

void chip_time_start(void) {
    now_ms = 0;
    SYST_RVR = chip_clock_cpu_hz() / 1000u - 1u;
    SYST_CVR = 0;
    SYST_CSR = CSR_ENABLE | CSR_TICKINT | CSR_CPU_CLOCK;
}

uint32_t chip_time_ms(void) { return now_ms; }

void chip_time_interrupt(void) { now_ms++; }
