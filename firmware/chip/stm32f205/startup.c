/* SPDX-License-Identifier: Apache-2.0 */
#include "chip/startup.h"

#include <stdint.h>

#include "chip/cpu.h"
#include "chip/fault.h"
#include "chip/time.h"
#include "chip/uart.h"

/* From the linker script; word-aligned, addresses only. */
extern uint32_t __stack_top[], __data_load[], __data_start[], __data_end[], __bss_start[], __bss_end[];

static _Noreturn void reset_handler(void) {
    const uint32_t *from = __data_load;
    for (uint32_t *to = __data_start; to < __data_end; to++) *to = *from++;
    for (uint32_t *to = __bss_start; to < __bss_end; to++) *to = 0;
    chip_main();
}

/* The linker scripts name it as the entry. RM0033 table 50: 16 entries of the core, 81 of the chip. The first is no
 * function but the initial stack pointer. */
union vector {
    uint32_t *stack;
    void (*handler)(void);
};

/* clang-format off */
__attribute__((section(".vectors"), used)) const union vector vectors[97] = {
    [0] = {.stack = __stack_top},
    [1] = {.handler = reset_handler},
    [2 ... 6] = {.handler = chip_fault_entry}, /* NMI, HardFault, MemManage, BusFault, UsageFault */
    [11 ... 14] = {.handler = chip_fault_entry}, /* SVC, debug monitor, reserved, PendSV: nobody asks for them */
    [15] = {.handler = chip_time_interrupt},
    [16 ... 52] = {.handler = chip_fault_entry},
    [16 + 37] = {.handler = chip_uart_interrupt},
    [16 + 38] = {.handler = chip_uart_interrupt},
    [16 + 39] = {.handler = chip_uart_interrupt},
    [16 + 40 ... 16 + 70] = {.handler = chip_fault_entry},
    [16 + 71] = {.handler = chip_uart_interrupt},
    [16 + 72 ... 96] = {.handler = chip_fault_entry},
};
/* clang-format on */

uint32_t chip_image_addr(void) { return (uint32_t)(uintptr_t)vectors; }
