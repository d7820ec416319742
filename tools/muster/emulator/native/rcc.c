/* SPDX-License-Identifier: Apache-2.0 */
/* Reset and clock control (RM0033 section 5). Start-up times are typical values of the datasheet. */
#include "emu.h"

enum { HSI_HZ = 16000000 };
enum { HSION = 1, HSIRDY = 2, HSEON = 1 << 16, HSERDY = 1 << 17, PLLON = 1 << 24, PLLRDY = 1 << 25,
       PLLI2SON = 1 << 26, PLLI2SRDY = 1 << 27, CR_WRITABLE = 0x050D00F9 };
enum { LSION = 1, LSIRDY = 2, RMVF = 1 << 24 };
enum { LSEON = 1, LSERDY = 2 };
enum { DBP = 1 << 8 };

static const uint32_t cause_flags[EMU_CAUSES] = {
    [EMU_POWER_ON] = 0x0E000000, [EMU_PIN] = 0x04000000, [EMU_SOFTWARE] = 0x14000000,
    [EMU_IWDG] = 0x24000000, [EMU_WWDG] = 0x44000000, /* every reset pulls NRST low: PINRSTF with each */
};

static uint32_t pll_source_hz(const struct emu *e)
{
    return (e->s.rcc.pllcfgr & (1u << 22)) ? e->config.hse_hz : HSI_HZ;
}

static uint32_t vco_hz(const struct emu *e)
{
    uint32_t m = e->s.rcc.pllcfgr & 0x3F, n = e->s.rcc.pllcfgr >> 6 & 0x1FF;
    return m == 0 ? 0 : (uint32_t)((uint64_t)pll_source_hz(e) * n / m);
}

static uint32_t sysclk_hz(const struct emu *e)
{
    switch (e->s.rcc.cfgr >> 2 & 3) {
    case 1: return e->config.hse_hz;
    case 2: return vco_hz(e) / (2 * ((e->s.rcc.pllcfgr >> 16 & 3) + 1));
    default: return HSI_HZ;
    }
}

/* The 48 MHz clock of USB and RNG, 0 while the PLL is off. */
uint32_t emu_rcc_pll48_hz(const struct emu *e)
{
    uint32_t q = e->s.rcc.pllcfgr >> 24 & 0xF;
    return (e->s.rcc.cr & PLLRDY) && q >= 2 ? vco_hz(e) / q : 0;
}

/* Wait states the flash needs at 2.7 to 3.6 V (PM0059 table 3): one per 30 MHz. */
void emu_rcc_check_latency(struct emu *e)
{
    uint32_t set = e->s.flash.acr & 7, hclk = e->s.rcc.hclk_hz;
    if (hclk > 30000000 * (set + 1))
        emu_violation(e, EMU_FLASH_LATENCY, set, hclk);
}

static void derive(struct emu *e)
{
    static const uint8_t ahb_shift[8] = {1, 2, 3, 4, 6, 7, 8, 9};
    struct rcc *r = &e->s.rcc;
    uint32_t hpre = r->cfgr >> 4 & 0xF, ppre1 = r->cfgr >> 10 & 7, ppre2 = r->cfgr >> 13 & 7;
    uint32_t hclk = sysclk_hz(e) >> (hpre & 8 ? ahb_shift[hpre & 7] : 0);
    if (hclk < 1000)
        hclk = 1000; /* a nonsense PLL setting must not stop time */
    emu_wwdg_rebase(e); /* while the old PCLK1 still tells its count */
    r->pclk1_hz = hclk >> (ppre1 & 4 ? (ppre1 & 3) + 1 : 0);
    r->pclk2_hz = hclk >> (ppre2 & 4 ? (ppre2 & 3) + 1 : 0);
    if (hclk != r->hclk_hz) {
        uint32_t systick = emu_systick_value(e);
        struct nvic *n = &e->s.nvic;
        if ((n->dwt_ctrl & 1) && e->s.cycle_ps)
            n->cyccnt_base += (uint32_t)((e->s.now_ps - n->cyccnt_from_ps) / e->s.cycle_ps);
        n->cyccnt_from_ps = e->s.now_ps;
        r->hclk_hz = hclk;
        e->s.cycle_ps = (PS_PER_S + hclk / 2) / hclk;
        emu_systick_rebase(e, systick);
    }
    emu_wwdg_rebase(e);
    if (hclk > 120000000)
        emu_violation(e, EMU_HCLK_RANGE, hclk, 0);
    if (r->pclk1_hz > 30000000)
        emu_violation(e, EMU_APB1_RANGE, r->pclk1_hz, 0);
    if (r->pclk2_hz > 60000000)
        emu_violation(e, EMU_APB2_RANGE, r->pclk2_hz, 0);
    emu_rcc_check_latency(e);
}

static void schedule(struct emu *e)
{
    const struct rcc *r = &e->s.rcc;
    const uint64_t at[] = {r->hsi_at, r->hse_at, r->pll_at, r->plli2s_at, r->lsi_at, r->lse_at};
    uint64_t first = EMU_NEVER;
    for (size_t i = 0; i < sizeof at / sizeof at[0]; i++)
        first = at[i] < first ? at[i] : first;
    emu_clock_at(e, EV_RCC, first);
}

/* SW takes effect when its clock is ready. */
static void switch_clock(struct emu *e)
{
    struct rcc *r = &e->s.rcc;
    static const uint32_t ready[4] = {HSIRDY, HSERDY, PLLRDY, 0};
    uint32_t sw = r->cfgr & 3;
    if (r->cr & ready[sw])
        r->cfgr = (r->cfgr & ~0xCu) | sw << 2;
    derive(e);
}

static bool due(struct emu *e, uint64_t *at)
{
    if (*at > e->s.now_ps)
        return false;
    *at = EMU_NEVER;
    return true;
}

void emu_rcc_event(struct emu *e)
{
    struct rcc *r = &e->s.rcc;
    if (due(e, &r->hsi_at))
        r->cr |= HSIRDY;
    if (due(e, &r->hse_at))
        r->cr |= HSERDY;
    if (due(e, &r->pll_at))
        r->cr |= PLLRDY;
    if (due(e, &r->plli2s_at))
        r->cr |= PLLI2SRDY;
    if (due(e, &r->lsi_at))
        r->csr |= LSIRDY;
    if (due(e, &r->lse_at))
        e->s.backup.bdcr |= LSERDY;
    switch_clock(e);
    schedule(e);
}

void emu_rcc_reset(struct emu *e, enum emu_cause cause)
{
    struct rcc *r = &e->s.rcc;
    uint32_t flags = cause == EMU_POWER_ON ? 0 : r->csr & 0xFE000000;
    uint64_t lse_at = r->lse_at;
    *r = (struct rcc){
        .cr = 0x83, .pllcfgr = 0x24003010, .enr = {0x00100000}, .plli2scfgr = 0x20003000,
        .lpenr = {0x7E6791FF, 0xF1, 1, 0x36FEC9FF, 0x00075F33},
        .csr = flags | cause_flags[cause],
        .hsi_at = EMU_NEVER, .hse_at = EMU_NEVER, .pll_at = EMU_NEVER, .plli2s_at = EMU_NEVER,
        .lsi_at = EMU_NEVER, .lse_at = cause == EMU_POWER_ON ? EMU_NEVER : lse_at,
    };
    e->s.systick = (struct systick){0};
    derive(e);
    schedule(e);
}

bool emu_rcc_lsi_ready(const struct emu *e) { return (e->s.rcc.csr & LSIRDY) != 0; }

void emu_rcc_lsi_start(struct emu *e)
{
    struct rcc *r = &e->s.rcc;
    r->csr |= LSION;
    if ((r->csr & LSIRDY) == 0 && r->lsi_at == EMU_NEVER)
        r->lsi_at = e->s.now_ps + 15 * PS_PER_US;
    schedule(e);
}

static void write_cr(struct emu *e, uint32_t value, uint32_t mask)
{
    struct rcc *r = &e->s.rcc;
    uint32_t before = r->cr, sws = r->cfgr >> 2 & 3, keep = 0;
    bool pll_from_hse = (r->pllcfgr & (1u << 22)) != 0;
    emu_set(&r->cr, value, mask & CR_WRITABLE);
    /* The clock in use cannot be switched off, nor what feeds it. */
    if (sws == 0 || (sws == 2 && !pll_from_hse))
        keep |= HSION;
    if (sws == 1 || (sws == 2 && pll_from_hse))
        keep |= HSEON;
    if (sws == 2)
        keep |= PLLON;
    r->cr |= keep & before;
    const struct { uint32_t on, ready; uint64_t *at, delay; bool works; } clocks[] = {
        {HSION, HSIRDY, &r->hsi_at, 4 * PS_PER_US, true},
        {HSEON, HSERDY, &r->hse_at, 2 * PS_PER_MS, e->config.hse_hz != 0},
        {PLLON, PLLRDY, &r->pll_at, 150 * PS_PER_US, true},
        {PLLI2SON, PLLI2SRDY, &r->plli2s_at, 150 * PS_PER_US, true},
    };
    for (size_t i = 0; i < sizeof clocks / sizeof clocks[0]; i++) {
        if ((r->cr & clocks[i].on) == 0) {
            r->cr &= ~clocks[i].ready;
            *clocks[i].at = EMU_NEVER;
        } else if ((r->cr & clocks[i].ready) == 0 && *clocks[i].at == EMU_NEVER && clocks[i].works) {
            /* a PLL locks only on a clock that runs */
            if (clocks[i].on < PLLON || (r->cr & (pll_from_hse ? HSERDY : HSIRDY)))
                *clocks[i].at = e->s.now_ps + clocks[i].delay;
        }
    }
    if ((r->cr & PLLON) && (before & PLLON) == 0) {
        uint32_t m = r->pllcfgr & 0x3F, in = m ? pll_source_hz(e) / m : 0, vco = vco_hz(e);
        if (in < 950000 || in > 2100000 || vco < 192000000 || vco > 432000000)
            emu_violation(e, EMU_PLL_RANGE, in, vco);
    }
    schedule(e);
}

static void write_rstr(struct emu *e, uint32_t bus, uint32_t value)
{
    static const uint8_t uart_bit[UARTS] = {4, 17, 18, 19, 20, 5};
    static const uint8_t uart_bus[UARTS] = {4, 3, 3, 3, 3, 4};
    e->s.rcc.rstr[bus] = value;
    for (int i = 0; i < UARTS; i++)
        if (uart_bus[i] == bus && (value & (1u << uart_bit[i])))
            emu_uart_reset(e, i);
    for (int i = 0; i < PORTS; i++)
        if (bus == 0 && (value & (1u << i)))
            emu_gpio_reset(e, i);
    if (bus == 0 && (value & (1u << 12)))
        e->s.crc = UINT32_MAX;
    if (bus == 1 && (value & (1u << 6)))
        e->s.rng = (struct rng){0};
    if (bus == 3 && (value & (1u << 28)))
        e->s.pwr.cr = 0;
    if (bus == 4 && (value & (1u << 14)))
        memset(e->s.syscfg, 0, sizeof e->s.syscfg);
}

static void write_bdcr(struct emu *e, uint32_t value, uint32_t mask)
{
    uint32_t *bdcr = &e->s.backup.bdcr;
    if ((e->s.pwr.cr & DBP) == 0)
        return;
    if (value & mask & (1u << 16)) {
        emu_backup_domain_reset(e);
        *bdcr = 1u << 16;
        e->s.rcc.lse_at = EMU_NEVER;
        schedule(e);
        return;
    }
    if (*bdcr & 0x300) /* RTCSEL: once chosen, only BDRST changes it */
        mask &= ~0x300u;
    emu_set(bdcr, value, mask & 0x18305);
    if ((*bdcr & LSEON) == 0) {
        *bdcr &= ~(uint32_t)LSERDY;
        e->s.rcc.lse_at = EMU_NEVER;
    } else if ((*bdcr & LSERDY) == 0 && e->s.rcc.lse_at == EMU_NEVER && e->config.lse) {
        e->s.rcc.lse_at = e->s.now_ps + 2 * PS_PER_S;
    }
    schedule(e);
}

static void write_csr(struct emu *e, uint32_t value, uint32_t mask)
{
    struct rcc *r = &e->s.rcc;
    if (value & mask & RMVF)
        r->csr &= 0x00FFFFFF;
    if ((mask & LSION) == 0)
        return;
    if (value & LSION) {
        emu_rcc_lsi_start(e);
    } else if (!e->s.iwdg.running) { /* the watchdog holds its clock on */
        r->csr &= ~(uint32_t)(LSION | LSIRDY);
        r->lsi_at = EMU_NEVER;
        schedule(e);
    }
}

/* Index of the AHB1, AHB2, AHB3, APB1 or APB2 word in a group of registers with a gap, or -1. */
static int bus_of(uint32_t off)
{
    static const int8_t bus[6] = {0, 1, 2, -1, 3, 4};
    return off < 24 ? bus[off / 4] : -1;
}

uint32_t emu_rcc_read(struct emu *e, int index, uint32_t off)
{
    const struct rcc *r = &e->s.rcc;
    (void)index;
    switch (off) {
    case 0x00: return r->cr;
    case 0x04: return r->pllcfgr;
    case 0x08: return r->cfgr;
    case 0x0C: return r->cir;
    case 0x70: return e->s.backup.bdcr;
    case 0x74: return r->csr;
    case 0x80: return r->sscgr;
    case 0x84: return r->plli2scfgr;
    default: break;
    }
    if (off >= 0x10 && off < 0x28 && bus_of(off - 0x10) >= 0)
        return r->rstr[bus_of(off - 0x10)];
    if (off >= 0x30 && off < 0x48 && bus_of(off - 0x30) >= 0)
        return r->enr[bus_of(off - 0x30)];
    if (off >= 0x50 && off < 0x68 && bus_of(off - 0x50) >= 0)
        return r->lpenr[bus_of(off - 0x50)];
    return 0;
}

void emu_rcc_write(struct emu *e, int index, uint32_t off, uint32_t value, uint32_t mask)
{
    struct rcc *r = &e->s.rcc;
    (void)index;
    switch (off) {
    case 0x00: write_cr(e, value, mask); return;
    case 0x04:
        if ((r->cr & PLLON) == 0)
            emu_set(&r->pllcfgr, value & 0x0F437FFF, mask);
        return;
    case 0x08:
        emu_set(&r->cfgr, value, mask & 0xFFFFFCF3);
        switch_clock(e);
        return;
    case 0x0C: emu_set(&r->cir, value & 0x3F00, mask); return;
    case 0x70: write_bdcr(e, value, mask); return;
    case 0x74: write_csr(e, value, mask); return;
    case 0x80: emu_set(&r->sscgr, value, mask); return;
    case 0x84: emu_set(&r->plli2scfgr, value, mask); return;
    default: break;
    }
    if (off >= 0x10 && off < 0x28 && bus_of(off - 0x10) >= 0)
        write_rstr(e, (uint32_t)bus_of(off - 0x10), (r->rstr[bus_of(off - 0x10)] & ~mask) | (value & mask));
    else if (off >= 0x30 && off < 0x48 && bus_of(off - 0x30) >= 0)
        emu_set(&r->enr[bus_of(off - 0x30)], value, mask);
    else if (off >= 0x50 && off < 0x68 && bus_of(off - 0x50) >= 0)
        emu_set(&r->lpenr[bus_of(off - 0x50)], value, mask);
}
