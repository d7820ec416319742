/* SPDX-License-Identifier: Apache-2.0 */
/* The independent watchdog (IWDG), on its own 32 kHz clock and unstoppable once started, and the window
 * watchdog (WWDG) on PCLK1. RM0033 sections 16 and 17. */
#include "emu.h"

enum { PVU = 1, RVU = 2, LSI_PS = 31250000 };
enum { WDGA = 1 << 7, EWI = 1 << 9 };

void emu_watchdog_reset(struct emu *e)
{
    e->s.iwdg = (struct iwdg){.rlr = 0xFFF, .new_rlr = 0xFFF};
    e->s.wwdg = (struct wwdg){.cr = 0x7F, .cfr = 0x7F};
}

static void reload(struct emu *e)
{
    const struct iwdg *w = &e->s.iwdg;
    uint64_t prescaler = w->pr > 6 ? 256 : 4u << w->pr;
    if (w->running)
        emu_clock_at(e, EV_IWDG, e->s.now_ps + (w->rlr + 1) * prescaler * LSI_PS);
}

void emu_iwdg_start(struct emu *e)
{
    if (e->s.iwdg.running)
        return;
    e->s.iwdg.running = true;
    emu_rcc_lsi_start(e);
    reload(e);
    if (e->s.iwdg.sr) /* an update waited for the clock */
        emu_clock_at(e, EV_IWDG_UPDATE, e->s.now_ps + 5 * (uint64_t)LSI_PS);
}

void emu_iwdg_event(struct emu *e) { emu_request_reset(e, EMU_IWDG); }

/* New values reach the counter's clock domain five LSI periods after the write. */
void emu_iwdg_update_event(struct emu *e)
{
    struct iwdg *w = &e->s.iwdg;
    if (!emu_rcc_lsi_ready(e)) {
        emu_clock_at(e, EV_IWDG_UPDATE, e->s.now_ps + 5 * (uint64_t)LSI_PS);
        return;
    }
    w->pr = w->new_pr;
    w->rlr = w->new_rlr;
    w->sr = 0;
}

uint32_t emu_iwdg_read(struct emu *e, int index, uint32_t off)
{
    const struct iwdg *w = &e->s.iwdg;
    (void)index;
    switch (off) {
    case 0x04: return w->sr & PVU ? w->new_pr : w->pr;
    case 0x08: return w->sr & RVU ? w->new_rlr : w->rlr;
    case 0x0C: return w->sr;
    default: return 0;
    }
}

/* Without LSI nothing takes a new value over: PVU and RVU then stay set for ever, as on silicon. */
static void update(struct emu *e, uint32_t flag)
{
    struct iwdg *w = &e->s.iwdg;
    w->sr |= flag;
    if (e->s.rcc.csr & 1)
        emu_clock_at(e, EV_IWDG_UPDATE, e->s.now_ps + 5 * (uint64_t)LSI_PS);
}

void emu_iwdg_write(struct emu *e, int index, uint32_t off, uint32_t value, uint32_t mask)
{
    struct iwdg *w = &e->s.iwdg;
    (void)index;
    (void)mask;
    switch (off) {
    case 0x00:
        w->unlocked = (value & 0xFFFF) == 0x5555;
        if ((value & 0xFFFF) == 0xAAAA)
            reload(e);
        else if ((value & 0xFFFF) == 0xCCCC)
            emu_iwdg_start(e);
        break;
    case 0x04:
        if (w->unlocked && !(w->sr & PVU)) {
            w->new_pr = value & 7;
            update(e, PVU);
        }
        break;
    case 0x08:
        if (w->unlocked && !(w->sr & RVU)) {
            w->new_rlr = value & 0xFFF;
            update(e, RVU);
        }
        break;
    default:
        break;
    }
}

static uint64_t wwdg_tick_ps(const struct emu *e)
{
    uint64_t pclk = e->s.rcc.pclk1_hz ? e->s.rcc.pclk1_hz : 1;
    return PS_PER_S * (4096u << (e->s.wwdg.cfr >> 7 & 3)) / pclk;
}

static uint32_t wwdg_count(const struct emu *e)
{
    const struct wwdg *w = &e->s.wwdg;
    if (!(w->cr & WDGA))
        return w->cr & 0x7F;
    return ((w->cr & 0x7F) - (uint32_t)((e->s.now_ps - w->from_ps) / wwdg_tick_ps(e))) & 0x7F;
}

/* The reset comes when the counter falls from 0x40 to 0x3F; the early interrupt on reaching 0x40. */
static void wwdg_schedule(struct emu *e)
{
    const struct wwdg *w = &e->s.wwdg;
    uint32_t t = w->cr & 0x7F;
    uint64_t to_reset;
    if (!(w->cr & WDGA))
        return;
    to_reset = t >= 0x40 ? t - 0x3F : 0;
    if ((w->cfr & EWI) && !(w->sr & 1) && t > 0x40)
        to_reset--;
    emu_clock_at(e, EV_WWDG, w->from_ps + to_reset * wwdg_tick_ps(e));
}

void emu_wwdg_event(struct emu *e)
{
    struct wwdg *w = &e->s.wwdg;
    if ((w->cfr & EWI) && !(w->sr & 1) && wwdg_count(e) == 0x40) {
        w->sr = 1;
        emu_irq_level(e, IRQ_WWDG, true);
        wwdg_schedule(e);
        return;
    }
    emu_request_reset(e, EMU_WWDG);
}

/* Go on from the present count: called before and after PCLK1 changes. */
void emu_wwdg_rebase(struct emu *e)
{
    struct wwdg *w = &e->s.wwdg;
    if (!(w->cr & WDGA))
        return;
    w->cr = WDGA | wwdg_count(e);
    w->from_ps = e->s.now_ps;
    wwdg_schedule(e);
}

uint32_t emu_wwdg_read(struct emu *e, int index, uint32_t off)
{
    (void)index;
    switch (off) {
    case 0x00: return (e->s.wwdg.cr & WDGA) | wwdg_count(e);
    case 0x04: return e->s.wwdg.cfr;
    case 0x08: return e->s.wwdg.sr;
    default: return 0;
    }
}

void emu_wwdg_write(struct emu *e, int index, uint32_t off, uint32_t value, uint32_t mask)
{
    struct wwdg *w = &e->s.wwdg;
    uint32_t count = wwdg_count(e);
    (void)index;
    switch (off) {
    case 0x00: /* WDGA is set once; a refresh above the window resets */
        if ((w->cr & WDGA) && count > (w->cfr & 0x7F)) {
            emu_request_reset(e, EMU_WWDG);
            return;
        }
        w->cr = (w->cr & WDGA) | (value & mask & 0xFF);
        w->from_ps = e->s.now_ps;
        wwdg_schedule(e);
        break;
    case 0x04:
        emu_set(&w->cfr, value & 0x3FF, mask);
        w->cr = (w->cr & WDGA) | count;
        w->from_ps = e->s.now_ps;
        wwdg_schedule(e);
        break;
    case 0x08:
        w->sr &= value;
        emu_irq_level(e, IRQ_WWDG, w->sr & 1);
        break;
    default:
        break;
    }
}
