/* SPDX-License-Identifier: Apache-2.0 */
#include "prelude.h"

void start(void);
void unexpected(void);
int main(void);
extern uint32_t stack_top, data_start, data_end, data_load, bss_start, bss_end;

#define HANDLER(name) void name(void) __attribute__((weak, alias("unexpected")))
HANDLER(on_nmi);
HANDLER(on_hardfault);
HANDLER(on_memfault);
HANDLER(on_busfault);
HANDLER(on_usagefault);
HANDLER(on_svc);
HANDLER(on_pendsv);
HANDLER(on_systick);
HANDLER(on_irq);
HANDLER(on_exti0);
HANDLER(on_exti1);
HANDLER(on_exti2);
HANDLER(on_flash);
HANDLER(on_usart1);
HANDLER(on_wwdg);

__attribute__((section(".vectors"), used)) static void *const vectors[97] = {
    &stack_top, (void *)start, (void *)on_nmi, (void *)on_hardfault, (void *)on_memfault, (void *)on_busfault,
    (void *)on_usagefault, 0, 0, 0, 0, (void *)on_svc, 0, 0, (void *)on_pendsv, (void *)on_systick,
    [16 + 0] = (void *)on_wwdg, [16 + 4] = (void *)on_flash, [16 + 6] = (void *)on_exti0, [16 + 7] = (void *)on_exti1,
    [16 + 8] = (void *)on_exti2, [16 + 37] = (void *)on_usart1,
};

void unexpected(void)
{
    OUT[254] = 0xBADBAD00 | (SCB_ICSR & 0x1FF);
    for (;;)
        __asm volatile("");
}

void start(void)
{
    if (RCC_CSR & (1u << 27) && !(RCC_CSR & 0xF0000000))
        for (uint32_t i = 0; i < 256; i++)
            OUT[i] = 0;
    for (uint32_t *to = &data_start, *from = &data_load; to < &data_end;)
        *to++ = *from++;
    for (uint32_t *to = &bss_start; to < &bss_end;)
        *to++ = 0;
    main();
    done();
}
