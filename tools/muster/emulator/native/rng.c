/* SPDX-License-Identifier: Apache-2.0 */
/* The random number generator (RM0033 section 21): a word every 40 periods of the 48 MHz clock, and a
 * clock error without that clock. The numbers are the device's seed's, so runs can be repeated. */
#include "emu.h"

enum { RNGEN = 4, IE = 8, DRDY = 1, CECS = 2, CEIS = 32, SEIS = 64 };

static void update_irq(struct emu *e)
{
    emu_irq_level(e, IRQ_RNG, (e->s.rng.cr & IE) && (e->s.rng.sr & (DRDY | CEIS | SEIS)));
}

static void next(struct emu *e)
{
    struct rng *r = &e->s.rng;
    uint64_t hz = emu_rcc_pll48_hz(e);
    if (!(r->cr & RNGEN)) {
        emu_clock_at(e, EV_RNG, EMU_NEVER);
    } else if (hz < e->s.rcc.hclk_hz / 16) {
        r->sr |= CECS | CEIS;
        emu_clock_at(e, EV_RNG, e->s.now_ps + PS_PER_US);
    } else {
        r->sr &= ~(uint32_t)CECS;
        emu_clock_at(e, EV_RNG, e->s.now_ps + 40 * PS_PER_S / hz);
    }
    update_irq(e);
}

void emu_rng_event(struct emu *e)
{
    struct rng *r = &e->s.rng;
    if (r->sr & CECS) {
        next(e);
        return;
    }
    r->dr = emu_random(e);
    r->sr |= DRDY;
    update_irq(e);
}

uint32_t emu_rng_read(struct emu *e, int index, uint32_t off)
{
    struct rng *r = &e->s.rng;
    uint32_t value;
    (void)index;
    switch (off) {
    case 0x00: return r->cr;
    case 0x04: return r->sr;
    case 0x08:
        value = (r->sr & DRDY) ? r->dr : 0;
        if (r->sr & DRDY) {
            r->sr &= ~(uint32_t)DRDY;
            next(e);
        }
        return value;
    default: return 0;
    }
}

void emu_rng_write(struct emu *e, int index, uint32_t off, uint32_t value, uint32_t mask)
{
    struct rng *r = &e->s.rng;
    uint32_t before = r->cr;
    (void)index;
    if (off == 0) {
        emu_set(&r->cr, value & (RNGEN | IE), mask);
        if (!(r->cr & RNGEN))
            r->sr &= ~(uint32_t)DRDY;
        if ((before ^ r->cr) & RNGEN)
            next(e);
    } else if (off == 4) {
        r->sr &= (value | ~mask) | ~(uint32_t)(CEIS | SEIS);
    }
    update_irq(e);
}
