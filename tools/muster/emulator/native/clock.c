/* SPDX-License-Identifier: Apache-2.0 */
/* Virtual time, and the events that are due in it. */
#include "emu.h"

uint64_t emu_clock_next(const struct emu *e)
{
    uint64_t next = EMU_NEVER;
    for (int i = 0; i < EV_COUNT; i++)
        if (e->s.when[i] < next)
            next = e->s.when[i];
    return next;
}

void emu_clock_at(struct emu *e, enum event event, uint64_t when_ps)
{
    e->s.when[event] = when_ps;
    if (when_ps < e->stop_at_ps)
        emu_attention(e);
}

static void fire(struct emu *e, int event)
{
    e->event_ps = e->s.when[event];
    e->s.when[event] = EMU_NEVER;
    switch (event) {
    case EV_SYSTICK: emu_systick_event(e); break;
    case EV_IWDG: emu_iwdg_event(e); break;
    case EV_IWDG_UPDATE: emu_iwdg_update_event(e); break;
    case EV_WWDG: emu_wwdg_event(e); break;
    case EV_RCC: emu_rcc_event(e); break;
    case EV_CUT: emu_cut_now(e); break;
    case EV_RNG: emu_rng_event(e); break;
    default:
        if (event >= EV_IDLE0)
            emu_uart_idle_event(e, event - EV_IDLE0);
        else if (event >= EV_TX0)
            emu_uart_tx_event(e, event - EV_TX0);
        else
            emu_uart_rx_event(e, event - EV_RX0);
    }
}

/* Let time pass up to `to_ps`, and everything happen that is due by then, in order. It ends early, at the
 * time of the event, when power goes or a reset comes. Called from hooks too: a flash operation stalls the
 * CPU here while the world goes on. */
void emu_clock_advance(struct emu *e, uint64_t to_ps)
{
    while (!emu_halted(e)) {
        int due = -1;
        uint64_t first = to_ps;
        for (int i = 0; i < EV_COUNT; i++)
            if (e->s.when[i] <= first && (due < 0 || e->s.when[i] < first)) {
                first = e->s.when[i];
                due = i;
            }
        if (due < 0)
            break;
        if (first > e->s.now_ps)
            e->s.now_ps = first;
        fire(e, due);
    }
    if (!emu_halted(e) && to_ps > e->s.now_ps)
        e->s.now_ps = to_ps;
}
