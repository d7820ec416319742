/* SPDX-License-Identifier: Apache-2.0 */
/* NVIC, System Control Block and the few debug registers that programs use. */
#include "emu.h"

void emu_nvic_reset(struct emu *e)
{
    e->s.nvic = (struct nvic){.ccr = 0x200, .cyccnt_from_ps = e->s.now_ps};
}

void emu_pend(struct emu *e, int exception)
{
    e->s.nvic.pending[exception] = true;
    emu_attention(e);
}

/* A peripheral's interrupt line. A line that is still high when its handler returns pends again. */
void emu_irq_level(struct emu *e, int irq, bool level)
{
    struct nvic *n = &e->s.nvic;
    int exception = 16 + irq;
    if (n->level[exception] == level)
        return;
    n->level[exception] = level;
    if (level) {
        n->pending[exception] = true;
        if (n->enabled[exception])
            emu_attention(e);
        if (n->scr & (1u << 4))
            n->event = true;
    }
}

static uint32_t gather(const bool *flags, uint32_t word)
{
    uint32_t bits = 0;
    for (uint32_t i = 0; i < 32 && 32 * word + i < IRQS; i++)
        bits |= (uint32_t)flags[16 + 32 * word + i] << i;
    return bits;
}

static void scatter(bool *flags, uint32_t word, uint32_t bits, bool to)
{
    for (uint32_t i = 0; i < 32 && 32 * word + i < IRQS; i++)
        if (bits & (1u << i))
            flags[16 + 32 * word + i] = to;
}

static uint32_t cyccnt(const struct emu *e)
{
    const struct nvic *n = &e->s.nvic;
    if ((n->dwt_ctrl & 1) == 0 || e->s.cycle_ps == 0)
        return n->cyccnt_base;
    return n->cyccnt_base + (uint32_t)((e->s.now_ps - n->cyccnt_from_ps) / e->s.cycle_ps);
}

static uint32_t icsr(struct emu *e)
{
    const struct nvic *n = &e->s.nvic;
    uint32_t value = emu_reg(e, UC_ARM_REG_XPSR) & 0x1FF, others = 0;
    int vect = 0, best = 256;
    for (int i = EXC_NMI; i < EXCEPTIONS; i++) {
        others += n->active[i];
        if (!n->pending[i])
            continue;
        if (i >= 16)
            value |= 1u << 22;
        if ((i < 16 || n->enabled[i]) && n->priority[i] < best) {
            best = n->priority[i];
            vect = i;
        }
    }
    value |= (uint32_t)vect << 12;
    value |= (uint32_t)(others <= 1) << 11;
    value |= (uint32_t)n->pending[EXC_SYSTICK] << 26 | (uint32_t)n->pending[EXC_PENDSV] << 28;
    return value;
}

static uint32_t shcsr(const struct emu *e)
{
    const struct nvic *n = &e->s.nvic;
    return n->shcsr_enable | (uint32_t)n->active[EXC_MEM] | (uint32_t)n->active[EXC_BUS] << 1
        | (uint32_t)n->active[EXC_USAGE] << 3 | (uint32_t)n->active[EXC_SVC] << 7
        | (uint32_t)n->active[EXC_PENDSV] << 10 | (uint32_t)n->active[EXC_SYSTICK] << 11;
}

static uint32_t priorities(const struct emu *e, uint32_t first)
{
    uint32_t value = 0;
    for (uint32_t i = 0; i < 4; i++)
        if (first + i < EXCEPTIONS)
            value |= (uint32_t)e->s.nvic.priority[first + i] << (8 * i);
    return value;
}

static void set_priorities(struct emu *e, uint32_t first, uint32_t value, uint32_t mask)
{
    for (uint32_t i = 0; i < 4; i++)
        if (first + i < EXCEPTIONS && (mask >> (8 * i) & 0xFF))
            e->s.nvic.priority[first + i] = (uint8_t)(value >> (8 * i) & 0xF0); /* four bits of priority */
}

static uint32_t scb_read(struct emu *e, uint32_t off)
{
    const struct nvic *n = &e->s.nvic;
    switch (off) {
    case 0xD00: return 0x412FC230;
    case 0xD04: return icsr(e);
    case 0xD08: return n->vtor;
    case 0xD0C: return 0xFA050000 | n->prigroup << 8;
    case 0xD10: return n->scr;
    case 0xD14: return n->ccr;
    case 0xD18: case 0xD1C: case 0xD20: return priorities(e, off - 0xD18 + 4);
    case 0xD24: return shcsr(e);
    case 0xD28: return n->cfsr;
    case 0xD2C: return n->hfsr;
    case 0xD30: return n->dfsr;
    case 0xD34: return n->mmfar;
    case 0xD38: return n->bfar;
    case 0xDFC: return n->demcr;
    default: return 0;
    }
}

uint32_t emu_ppb_read(struct emu *e, int index, uint32_t off)
{
    const struct nvic *n = &e->s.nvic;
    (void)index;
    if (off == 0x1000)
        return n->dwt_ctrl | 0x40000000;
    if (off == 0x1004)
        return cyccnt(e);
    if (off == 0x42000)
        return 0x20036411; /* DBGMCU_IDCODE: device 0x411, revision X */
    if (off == 0x42004)
        return e->s.dbgmcu_cr;
    if (off < 0xE000 || off >= 0xF000)
        return 0;
    off -= 0xE000;
    if (off == 0x004)
        return IRQS / 32;
    if (off >= 0x010 && off < 0x020)
        return emu_systick_read(e, off);
    if (off >= 0x100 && off < 0x380) {
        uint32_t word = (off & 0x7F) / 4;
        switch (off & 0x780) {
        case 0x100: case 0x180: return gather(n->enabled, word);
        case 0x200: case 0x280: return gather(n->pending, word);
        case 0x300: return gather(n->active, word);
        default: return 0;
        }
    }
    if (off >= 0x400 && off < 0x400 + IRQS + 3)
        return priorities(e, 16 + off - 0x400);
    return scb_read(e, off);
}

static void write_aircr(struct emu *e, uint32_t value)
{
    if (value >> 16 != 0x05FA)
        return;
    e->s.nvic.prigroup = value >> 8 & 7;
    if (value & 4)
        emu_request_reset(e, EMU_SOFTWARE);
}

static void write_icsr(struct emu *e, uint32_t value)
{
    struct nvic *n = &e->s.nvic;
    if (value & (1u << 25))
        n->pending[EXC_SYSTICK] = false;
    if (value & (1u << 27))
        n->pending[EXC_PENDSV] = false;
    if (value & (1u << 26))
        n->pending[EXC_SYSTICK] = true;
    if (value & (1u << 28))
        n->pending[EXC_PENDSV] = true;
    if (value & (1u << 31))
        n->pending[EXC_NMI] = true;
}

static void scb_write(struct emu *e, uint32_t off, uint32_t value, uint32_t mask)
{
    struct nvic *n = &e->s.nvic;
    switch (off) {
    case 0xD04: write_icsr(e, value); break;
    case 0xD08: n->vtor = value & 0x3FFFFF80; break;
    case 0xD0C: write_aircr(e, value); break;
    case 0xD10: emu_set(&n->scr, value & 0x16, mask); break;
    case 0xD14: emu_set(&n->ccr, value & 0x31B, mask); break;
    case 0xD18: case 0xD1C: case 0xD20: set_priorities(e, off - 0xD18 + 4, value, mask); break;
    case 0xD24: emu_set(&n->shcsr_enable, value & 0x70000, mask); break;
    case 0xD28: n->cfsr &= ~(value & mask); break;
    case 0xD2C: n->hfsr &= ~(value & mask); break;
    case 0xD30: n->dfsr &= ~(value & mask); break;
    case 0xD34: emu_set(&n->mmfar, value, mask); break;
    case 0xD38: emu_set(&n->bfar, value, mask); break;
    case 0xDFC: emu_set(&n->demcr, value & 0x010F07F1, mask); break;
    case 0xF00:
        if ((value & 0x1FF) < IRQS)
            n->pending[16 + (value & 0x1FF)] = true;
        break;
    default: break;
    }
}

void emu_ppb_write(struct emu *e, int index, uint32_t off, uint32_t value, uint32_t mask)
{
    struct nvic *n = &e->s.nvic;
    uint32_t word = (off & 0x7F) / 4;
    (void)index;
    if (off == 0x1000) {
        n->cyccnt_base = cyccnt(e);
        n->cyccnt_from_ps = e->s.now_ps;
        n->dwt_ctrl = value & mask & 1;
    } else if (off == 0x1004) {
        n->cyccnt_base = value;
        n->cyccnt_from_ps = e->s.now_ps;
    } else if (off == 0x42004) {
        emu_set(&e->s.dbgmcu_cr, value, mask);
    }
    if (off < 0xE000 || off >= 0xF000)
        return;
    off -= 0xE000;
    value &= mask;
    emu_attention(e);
    if (off >= 0x010 && off < 0x020) {
        emu_systick_write(e, off, value, mask);
    } else if (off >= 0x400 && off < 0x400 + IRQS + 3) {
        set_priorities(e, 16 + off - 0x400, value, mask);
    } else if (off >= 0x100 && off < 0x300) {
        switch (off & 0x780) {
        case 0x100: scatter(n->enabled, word, value, true); break;
        case 0x180: scatter(n->enabled, word, value, false); break;
        case 0x200: scatter(n->pending, word, value, true); break;
        case 0x280: scatter(n->pending, word, value & ~gather(n->level, word), false); break;
        default: break;
        }
    } else {
        scb_write(e, off, value, mask);
    }
}
