/* SPDX-License-Identifier: Apache-2.0 */
#include "chip/stack.h"

enum { MARGIN = 64 }; /* for the frame of the one who paints, and of an interrupt */
#define MARK 0x57AC57ACu

/* From the linker script; addresses only. The stack grows from the top down to the limit. */
extern uint32_t __stack_limit[], __stack_top[];

void chip_stack_paint(void) {
    uint32_t *here = __builtin_frame_address(0);
    for (volatile uint32_t *at = __stack_limit; at < here - MARGIN / sizeof *at; at++) *at = MARK;
}

uint32_t chip_stack_free(void) {
    const volatile uint32_t *at = __stack_limit;
    while (at < __stack_top && *at == MARK) at++;
    return (uint32_t)((at - __stack_limit) * (int32_t)sizeof *at);
}
