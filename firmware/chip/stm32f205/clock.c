/* SPDX-License-Identifier: Apache-2.0 */
#include "chip/clock.h"

#include <stdbool.h>

#include "chip/registers.h"

enum {
    MHZ = 1000000,
    HSI_HZ = 16 * MHZ,
    CPU_HZ = 120 * MHZ,
    VCO_MUL = 240,        /* the VCO's input is 1 MHz, its output 240 MHz */
    USB_DIV = 5,          /* 48 MHz for RNG and USB */
    FLASH_WAITS = 3,      /* up to 120 MHz at 2.7 V to 3.6 V: PM0059 table 3 */
    READY_LOOPS = 100000, /* at 16 MHz more than 30 ms: a crystal needs 2 ms, the PLL 0.3 ms */
};

static bool pll_runs;

/* False when the bits did not come: a missing crystal, or an emulator without RCC. */
static bool wait_for(volatile uint32_t *reg, uint32_t mask, uint32_t value) {
    for (uint32_t i = 0; i < READY_LOOPS; i++) {
        if ((*reg & mask) == value) return true;
    }
    return false;
}

/* The PLL may be reprogrammed only while nothing runs from it. */
static void to_hsi(void) {
    RCC_CR |= RCC_CR_HSION;
    (void)wait_for(&RCC_CR, RCC_CR_HSIRDY, RCC_CR_HSIRDY);
    RCC_CFGR = (RCC_CFGR & ~RCC_CFGR_SW_MASK) | RCC_CFGR_SW_HSI;
    (void)wait_for(&RCC_CFGR, RCC_CFGR_SWS_MASK, 0);
    RCC_CR &= ~RCC_CR_PLLON;
    (void)wait_for(&RCC_CR, RCC_CR_PLLRDY, 0);
    RCC_CFGR = 0;
    RCC_CIR = 0;
}

static bool pll_start(uint32_t source_hz, uint32_t source_bit) {
    RCC_PLLCFGR = (source_hz / MHZ) | (VCO_MUL << 6) | (0u << 16) | source_bit | (USB_DIV << 24);
    RCC_CR |= RCC_CR_PLLON;
    if (!wait_for(&RCC_CR, RCC_CR_PLLRDY, RCC_CR_PLLRDY)) {
        RCC_CR &= ~RCC_CR_PLLON;
        return false;
    }
    return true;
}

void chip_clock_start(uint32_t hse_hz) {
    pll_runs = false;
    to_hsi();

    RCC_CR |= RCC_CR_HSEON;
    if (wait_for(&RCC_CR, RCC_CR_HSERDY, RCC_CR_HSERDY)) {
        pll_runs = pll_start(hse_hz, RCC_PLLCFGR_SRC_HSE);
    } else {
        RCC_CR &= ~RCC_CR_HSEON;
        pll_runs = pll_start(HSI_HZ, 0);
    }
    if (!pll_runs) return;

    /* Wait states before the frequency; they count only once they read back. */
    FLASH_ACR = FLASH_ACR_LATENCY(FLASH_WAITS) | FLASH_ACR_PRFTEN | FLASH_ACR_ICEN | FLASH_ACR_DCEN;
    (void)wait_for(&FLASH_ACR, FLASH_ACR_LATENCY_MASK, FLASH_WAITS);
    RCC_CFGR = RCC_CFGR_PPRE1_DIV4 | RCC_CFGR_PPRE2_DIV2;
    RCC_CFGR |= RCC_CFGR_SW_PLL;
    pll_runs = wait_for(&RCC_CFGR, RCC_CFGR_SWS_MASK, RCC_CFGR_SWS_PLL);
    if (!pll_runs) RCC_CFGR = 0;
}

uint32_t chip_clock_cpu_hz(void) { return pll_runs ? CPU_HZ : HSI_HZ; }

uint32_t chip_clock_apb1_hz(void) { return pll_runs ? CPU_HZ / 4 : HSI_HZ; }

uint32_t chip_clock_apb2_hz(void) { return pll_runs ? CPU_HZ / 2 : HSI_HZ; }
