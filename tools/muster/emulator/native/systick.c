/* SPDX-License-Identifier: Apache-2.0 */
/* SysTick: 24 bits down, from HCLK or HCLK/8. */
#include "emu.h"

enum { ENABLE = 1, TICKINT = 2, CLKSOURCE = 4, COUNTFLAG = 1 << 16 };

static uint64_t tick_ps(const struct emu *e)
{
    return e->s.cycle_ps * ((e->s.systick.ctrl & CLKSOURCE) ? 1 : 8);
}

/* The counter. While it runs it is not stored: the time of its wrap to LOAD says it all. It counts
 * LOAD ... 1, 0 and wraps LOAD + 1 ticks after the last wrap; the exception comes on reaching 0. */
uint32_t emu_systick_value(const struct emu *e)
{
    uint64_t at = e->s.when[EV_SYSTICK], now = e->s.now_ps;
    if ((e->s.systick.ctrl & ENABLE) == 0 || at == EMU_NEVER)
        return e->s.systick.stopped_val;
    if (at <= now)
        return 0;
    return (uint32_t)((at - now + tick_ps(e) - 1) / tick_ps(e)) & 0xFFFFFF;
}

/* Go on counting from `value` at the present clock. */
void emu_systick_rebase(struct emu *e, uint32_t value)
{
    struct systick *t = &e->s.systick;
    t->stopped_val = value;
    if ((t->ctrl & ENABLE) == 0 || (value == 0 && t->load == 0))
        emu_clock_at(e, EV_SYSTICK, EMU_NEVER);
    else /* from 0 the next tick loads LOAD */
        emu_clock_at(e, EV_SYSTICK, e->s.now_ps + (value ? (uint64_t)value : (uint64_t)t->load + 1) * tick_ps(e));
}

void emu_systick_event(struct emu *e)
{
    struct systick *t = &e->s.systick;
    uint64_t period_ps = ((uint64_t)t->load + 1) * tick_ps(e);
    t->ctrl |= COUNTFLAG;
    if (t->ctrl & TICKINT)
        emu_pend(e, EXC_SYSTICK);
    if (t->load == 0) {
        t->stopped_val = 0;
        return;
    }
    /* From when it was due: periods follow one another exactly although events are served a little late. */
    emu_clock_at(e, EV_SYSTICK, e->event_ps + period_ps);
}

uint32_t emu_systick_read(struct emu *e, uint32_t off)
{
    struct systick *t = &e->s.systick;
    uint32_t value;
    switch (off) {
    case 0x10:
        value = t->ctrl;
        t->ctrl &= ~(uint32_t)COUNTFLAG;
        return value;
    case 0x14: return t->load;
    case 0x18: return emu_systick_value(e);
    default: return 0x40000000; /* CALIB: no exact 10 ms */
    }
}

void emu_systick_write(struct emu *e, uint32_t off, uint32_t value, uint32_t mask)
{
    struct systick *t = &e->s.systick;
    uint32_t now = emu_systick_value(e);
    switch (off) {
    case 0x10:
        emu_set(&t->ctrl, value & 7, mask & 7);
        emu_systick_rebase(e, now);
        break;
    case 0x14:
        emu_set(&t->load, value & 0xFFFFFF, mask);
        if (e->s.when[EV_SYSTICK] == EMU_NEVER)
            emu_systick_rebase(e, now);
        break;
    case 0x18: /* any write clears the counter and COUNTFLAG */
        t->ctrl &= ~(uint32_t)COUNTFLAG;
        emu_systick_rebase(e, 0);
        break;
    default:
        break;
    }
}
