/* SPDX-License-Identifier: Apache-2.0 */
/* EXTI lines 0 to 22 and SYSCFG's choice of ports for lines 0 to 15 (RM0033 sections 8.3 and 7.2). Lines
 * above 15 come by SWIER only. */
#include "emu.h"

enum { LINES = 0x7FFFFF };

static void update_irqs(struct emu *e)
{
    uint32_t lines = e->s.exti.pr & e->s.exti.imr;
    for (int i = 0; i < 5; i++)
        emu_irq_level(e, IRQ_EXTI0 + i, lines >> i & 1);
    emu_irq_level(e, IRQ_EXTI9_5, (lines & 0x3E0) != 0);
    emu_irq_level(e, IRQ_EXTI15_10, (lines & 0xFC00) != 0);
}

static void trigger(struct emu *e, uint32_t lines)
{
    e->s.exti.pr |= lines;
    if (lines & e->s.exti.emr) {
        e->s.nvic.event = true;
        emu_attention(e);
    }
    update_irqs(e);
}

void emu_exti_edge(struct emu *e, int port, int pin, bool rising)
{
    uint32_t chosen = e->s.syscfg[2 + pin / 4] >> (4 * (pin % 4)) & 0xF; /* EXTICR1 is at 0x08 */
    uint32_t edges = rising ? e->s.exti.rtsr : e->s.exti.ftsr;
    if (chosen == (uint32_t)port && (edges >> pin & 1))
        trigger(e, 1u << pin);
}

uint32_t emu_exti_read(struct emu *e, int index, uint32_t off)
{
    const struct exti *x = &e->s.exti;
    (void)index;
    switch (off) {
    case 0x00: return x->imr;
    case 0x04: return x->emr;
    case 0x08: return x->rtsr;
    case 0x0C: return x->ftsr;
    case 0x14: return x->pr;
    default: return 0;
    }
}

void emu_exti_write(struct emu *e, int index, uint32_t off, uint32_t value, uint32_t mask)
{
    struct exti *x = &e->s.exti;
    (void)index;
    switch (off) {
    case 0x00: emu_set(&x->imr, value & LINES, mask); break;
    case 0x04: emu_set(&x->emr, value & LINES, mask); break;
    case 0x08: emu_set(&x->rtsr, value & LINES, mask); break;
    case 0x0C: emu_set(&x->ftsr, value & LINES, mask); break;
    case 0x10: trigger(e, value & mask & LINES); break;
    case 0x14: x->pr &= ~(value & mask); break;
    default: break;
    }
    update_irqs(e);
}

uint32_t emu_syscfg_read(struct emu *e, int index, uint32_t off)
{
    (void)index;
    if (off == 0x20)
        return (e->s.syscfg[8] & 1) ? 0x101 : 0; /* CMPCR: the compensation cell is ready at once */
    return off < 0x20 ? e->s.syscfg[off / 4] : 0;
}

void emu_syscfg_write(struct emu *e, int index, uint32_t off, uint32_t value, uint32_t mask)
{
    (void)index;
    if (off <= 0x20)
        emu_set(&e->s.syscfg[off / 4], value & 0xFFFF, mask);
}
