/* SPDX-License-Identifier: Apache-2.0 */
#include "chip/cpu.h"

#include "chip/registers.h"

enum { IRQ_WORDS = 3 }; /* 81 interrupts */

uint32_t chip_irq_save(void) {
    uint32_t saved;
    __asm volatile("mrs %0, primask\n cpsid i" : "=r"(saved)::"memory");
    return saved;
}

void chip_irq_restore(uint32_t saved) { __asm volatile("msr primask, %0" ::"r"(saved) : "memory"); }

void chip_irq_enable(uint32_t irq) { NVIC_ISER(irq / 32) = 1u << (irq % 32); }

void chip_idle(void) { __asm volatile("dsb\n wfi" ::: "memory"); }

_Noreturn void chip_restart(void) {
    __asm volatile("dsb" ::: "memory");
    SCB_AIRCR = SCB_AIRCR_RESET;
    /* The reset comes some cycles later; should it not come at all, the watchdog's does. */
    for (;;) __asm volatile("dsb" ::: "memory");
}

_Noreturn void chip_start_image(uint32_t addr) {
    __asm volatile("cpsid i" ::: "memory");
    SYST_CSR = 0;
    SCB_ICSR = SCB_ICSR_PENDSTCLR | SCB_ICSR_PENDSVCLR;
    for (uint32_t i = 0; i < IRQ_WORDS; i++) {
        NVIC_ICER(i) = 0xFFFFFFFFu;
        NVIC_ICPR(i) = 0xFFFFFFFFu;
    }
    SCB_VTOR = addr;
    uint32_t stack = CHIP_REG(addr);
    uint32_t entry = CHIP_REG(addr + 4);
    __asm volatile("dsb\n isb\n"
                   "msr msp, %0\n"
                   "cpsie i\n"
                   "isb\n"
                   "bx %1\n" ::"r"(stack),
                   "r"(entry)
                   : "memory");
    __builtin_unreachable();
}
