/* SPDX-License-Identifier: Apache-2.0 */
/* The block hook: called before each block of code runs, it counts instructions and cycles and stops
 * Unicorn when something is due. Cycle counts are estimates from the Cortex-M3 manual's table: one per
 * instruction, two per load, more for multiplies, divisions and load-multiples, two per block for the
 * pipeline. Flash wait states are taken to be hidden by the prefetcher and caches. */
#include "emu.h"

static void div_hook(uc_engine *uc, uint64_t addr, uint32_t size, void *user)
{
    static const int regs[15] = {
        UC_ARM_REG_R0, UC_ARM_REG_R1, UC_ARM_REG_R2, UC_ARM_REG_R3, UC_ARM_REG_R4, UC_ARM_REG_R5, UC_ARM_REG_R6,
        UC_ARM_REG_R7, UC_ARM_REG_R8, UC_ARM_REG_R9, UC_ARM_REG_R10, UC_ARM_REG_R11, UC_ARM_REG_R12,
        UC_ARM_REG_SP, UC_ARM_REG_LR,
    };
    struct emu *e = user;
    const uint8_t *p = emu_pointer(e, (uint32_t)addr, 4);
    (void)size;
    if (p == NULL || (e->s.nvic.ccr & (1u << 4)) == 0)
        return;
    uint32_t rm = p[2] & 15;
    if (rm < 15 && emu_reg(e, regs[rm]) == 0) {
        e->exit_kind = EXIT_DIV;
        uc_emu_stop(uc);
    }
}

static bool is_div(uint32_t first, uint32_t second)
{
    return ((first & 0xFFF0) == 0xFB90 || (first & 0xFFF0) == 0xFBB0) && (second & 0x00F0) == 0x00F0;
}

static uint32_t ones(uint32_t bits) { return (uint32_t)__builtin_popcount(bits); }

static uint32_t cycles16(uint32_t op)
{
    if (op >= 0x4800 && op < 0xA000)
        return 2; /* loads and stores */
    if ((op & 0xF600) == 0xB400 || (op & 0xF000) == 0xC000)
        return 1 + ones(op & 0x1FF); /* push, pop, ldm, stm */
    return 1;
}

static uint32_t cycles32(uint32_t first, uint32_t second)
{
    if ((first & 0xFE40) == 0xE800)
        return 1 + ones(second); /* ldm, stm */
    if ((first & 0xFE40) == 0xE840)
        return 3; /* ldrd, strd, exclusives, tbb */
    if ((first & 0xFE00) == 0xF800)
        return 2;
    if (is_div(first, second))
        return 7;
    if ((first & 0xFF80) == 0xFB80)
        return 4; /* long multiplies */
    return 1;
}

static void measure(struct emu *e, struct block_cost *cost, uint32_t addr, uint32_t size)
{
    const uint8_t *p = emu_pointer(e, addr, size);
    uint32_t instructions = 0, cycles = 2;
    uint8_t flags = 0;
    if (p == NULL) {
        *cost = (struct block_cost){addr, (uint16_t)size, (uint16_t)(size / 2), (uint16_t)(size / 2), 0};
        return;
    }
    for (uint32_t i = 0; i + 2 <= size; instructions++) {
        uint32_t first = (uint32_t)(p[i] | p[i + 1] << 8);
        if (first < 0xE800 || i + 4 > size) {
            cycles += cycles16(first);
            if (first == 0xBF40)
                flags |= BLOCK_SEV;
            if (first == 0xE7FE && i == 0)
                flags |= BLOCK_SELF_LOOP;
            i += 2;
        } else {
            uint32_t second = (uint32_t)(p[i + 2] | p[i + 3] << 8);
            cycles += cycles32(first, second);
            if (is_div(first, second))
                flags |= BLOCK_DIV;
            i += 4;
        }
    }
    *cost = (struct block_cost){addr, (uint16_t)size, (uint16_t)instructions, (uint16_t)cycles, flags};
    uint32_t off = addr >= FLASH_BASE ? addr - FLASH_BASE : addr;
    if (off < FLASH_SIZE)
        e->code_page[off / PAGE] = e->code_page[(off + size - 1) % FLASH_SIZE / PAGE] = true;
}

/* With CCR.DIV_0_TRP each division gets a hook of its own the first time its block is met. True: the block
 * must be translated again. */
static bool trap_divisions(struct emu *e, uint32_t addr, uint32_t size)
{
    const uint8_t *p = emu_pointer(e, addr, size);
    bool added = false;
    if (p == NULL || size < 4)
        return false;
    for (uint32_t i = 0; i + 4 <= size; i += 2) {
        uint32_t first = (uint32_t)(p[i] | p[i + 1] << 8), second = (uint32_t)(p[i + 2] | p[i + 3] << 8), n = 0;
        uc_hook hook;
        if (!is_div(first, second))
            continue;
        while (n < e->div_hook_count && e->div_hooks[n] != addr + i)
            n++;
        if (n < e->div_hook_count || n == DIV_HOOKS)
            continue;
        uc_hook_add(e->uc, &hook, UC_HOOK_CODE, (void *)div_hook, e, addr + i, addr + i);
        e->div_hooks[e->div_hook_count++] = addr + i;
        added = true;
    }
    if (added)
        uc_ctl_remove_cache(e->uc, addr, addr + size);
    return added;
}

static void stop(struct emu *e)
{
    e->exit_kind = EXIT_BLOCK;
    uc_emu_stop(e->uc);
}

void emu_block_hook(uc_engine *uc, uint64_t addr64, uint32_t size, void *user)
{
    struct emu *e = user;
    struct emu_state *s = &e->s;
    uint32_t addr = (uint32_t)addr64;
    struct block_cost *cost = &e->costs[(addr >> 1) % COST_SLOTS];
    (void)uc;
    e->last_block = addr;
    /* First look at the time, then charge: the other way round a timer shorter than a block would be
     * served again and again before one instruction runs. */
    if (s->now_ps >= e->deadline_ps) {
        if (e->attention || s->now_ps >= e->stop_at_ps || (e->poll_masks && !emu_exception_waiting(e))) {
            stop(e);
            return;
        }
    }
    /* Code in RAM may change without notice: measured every time. */
    if (cost->addr != addr || cost->size != size || addr >= RAM_BASE)
        measure(e, cost, addr, size);
    if (cost->flags) {
        if (cost->flags & BLOCK_SEV)
            s->nvic.event = true;
        if ((cost->flags & BLOCK_DIV) && (s->nvic.ccr & (1u << 4)) && trap_divisions(e, addr, size)) {
            stop(e);
            return;
        }
        if ((cost->flags & BLOCK_SELF_LOOP) && !e->poll_masks && e->stop_at_ps != EMU_NEVER) {
            uint64_t turn_ps = cost->cycles * s->cycle_ps;
            uint64_t turns = (e->stop_at_ps - s->now_ps + turn_ps - 1) / turn_ps;
            s->counters.instructions += turns;
            s->now_ps += turns * turn_ps;
            return;
        }
    }
    s->counters.instructions += cost->instructions;
    s->now_ps += cost->cycles * s->cycle_ps;
}

/* Memory changed behind Unicorn's back: drop what was made from it. */
void emu_block_forget(struct emu *e, uint32_t addr, uint32_t len)
{
    uint32_t off = addr >= FLASH_BASE ? addr - FLASH_BASE : addr;
    if (len == 0)
        return;
    if (off < FLASH_SIZE) {
        bool any = false;
        for (uint32_t page = off / PAGE; page <= (off + len - 1) / PAGE && page < FLASH_SIZE / PAGE; page++)
            any |= e->code_page[page];
        if (!any)
            return;
        uc_ctl_remove_cache(e->uc, (uint64_t)off, (uint64_t)off + len);
        uc_ctl_remove_cache(e->uc, (uint64_t)off + FLASH_BASE, (uint64_t)off + FLASH_BASE + len);
        if (len >= 64 * 1024) {
            memset(e->costs, 0, COST_SLOTS * sizeof *e->costs);
        } else { /* a block is shorter than a page: those that reach into the range begin near it */
            uint32_t from = off > PAGE ? off - PAGE : 0;
            for (uint32_t a = from; a < off + len; a += 2) {
                e->costs[(a >> 1) % COST_SLOTS] = (struct block_cost){0};
                e->costs[((a + FLASH_BASE) >> 1) % COST_SLOTS] = (struct block_cost){0};
            }
        }
        return;
    }
    uc_ctl_remove_cache(e->uc, addr, (uint64_t)addr + len);
}
