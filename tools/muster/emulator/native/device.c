/* SPDX-License-Identifier: Apache-2.0 */
/* One device: its making, its power and resets, and the loop that runs it. */
#include <stdio.h>
#include <stdlib.h>
#include "emu.h"

/* A program that runs nowhere near here: Unicorn must never meet its "until" address. */
enum { NO_END = 0xFFFFFFFE };

void emu_failed(struct emu *e, const char *what, uc_err err)
{
    if (e->error[0] == 0)
        snprintf(e->error, sizeof e->error, "%s: %s", what, uc_strerror(err));
    emu_attention(e);
}

void emu_attention(struct emu *e)
{
    e->attention = true;
    e->deadline_ps = 0;
}

/* True when the CPU should run no further: power is gone or a reset is due. Until Unicorn has reached
 * the end of its block a few more instructions run; what they do must leave no trace. */
bool emu_halted(const struct emu *e) { return !e->s.powered || e->s.reset_pending != 0; }

void emu_request_reset(struct emu *e, enum emu_cause cause)
{
    if (e->s.reset_pending == 0)
        e->s.reset_pending = 1 + (uint32_t)cause;
    emu_attention(e);
}

/* splitmix64 (Steele, Lea, Flood 2014), upper half. */
uint32_t emu_random(struct emu *e)
{
    uint64_t z = e->s.random += UINT64_C(0x9E3779B97F4A7C15);
    z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
    return (uint32_t)((z ^ (z >> 31)) >> 32);
}

/* The memory behind an address range of flash, its alias at 0, RAM, system or option page, or NULL. */
uint8_t *emu_pointer(struct emu *e, uint32_t addr, uint32_t len)
{
    static const struct { uint32_t base, size, store_offset; } in_store[] = {
        {FLASH_BASE, FLASH_SIZE, 0}, {0, FLASH_SIZE, 0},
        {SYSTEM_BASE, PAGE, FLASH_SIZE}, {OPTION_BASE, PAGE, FLASH_SIZE + PAGE},
    };
    if (addr - RAM_BASE < RAM_SIZE && len <= RAM_SIZE - (addr - RAM_BASE))
        return e->ram + (addr - RAM_BASE);
    for (size_t i = 0; i < sizeof in_store / sizeof in_store[0]; i++) {
        uint32_t off = addr - in_store[i].base;
        if (off < in_store[i].size && len <= in_store[i].size - off)
            return e->store + in_store[i].store_offset + off;
    }
    return NULL;
}

void emu_violation(struct emu *e, enum emu_violation_kind kind, uint32_t a, uint32_t b)
{
    if (e->s.violation_seen & (1u << kind))
        return;
    e->s.violation_seen |= 1u << kind;
    uint64_t n = e->s.counters.violations++;
    if (n < VIOLATION_LOG)
        e->s.violations[n] = (struct emu_violation){e->s.now_ps, (uint32_t)kind, a, b};
}

static bool memory_hook(uc_engine *uc, uc_mem_type type, uint64_t addr, int size, int64_t value, void *user)
{
    struct emu *e = user;
    (void)uc;
    if (type == UC_MEM_WRITE_PROT && !emu_halted(e)) {
        if (emu_flash_store(e, (uint32_t)addr, (uint32_t)size, (uint64_t)value))
            return true;
    }
    e->exit_kind = EXIT_MEMORY;
    e->fault_type = type;
    e->fault_addr = (uint32_t)addr;
    return false;
}

static void intr_hook(uc_engine *uc, uint32_t intno, void *user)
{
    struct emu *e = user;
    e->exit_kind = EXIT_INTR;
    e->exit_intno = intno;
    uc_emu_stop(uc);
}

static bool invalid_hook(uc_engine *uc, void *user)
{
    struct emu *e = user;
    (void)uc;
    e->exit_kind = EXIT_INVALID;
    return false;
}

static bool map_memory(struct emu *e)
{
    uc_hook hook;
    struct { uint32_t addr, size; uint32_t prot; uint8_t *at; } maps[] = {
        {FLASH_BASE, FLASH_SIZE, UC_PROT_READ | UC_PROT_EXEC, e->store},
        {0, FLASH_SIZE, UC_PROT_READ | UC_PROT_EXEC, e->store},
        {SYSTEM_BASE, PAGE, UC_PROT_READ | UC_PROT_EXEC, e->store + FLASH_SIZE},
        {OPTION_BASE, PAGE, UC_PROT_READ, e->store + FLASH_SIZE + PAGE},
        {RAM_BASE, RAM_SIZE, UC_PROT_ALL, e->ram},
    };
    /* Unicorn drops a store that the WRITE_PROT hook has served only in memory that was made read-only by
     * uc_mem_protect(); in memory mapped so from the start it goes through. */
    for (size_t i = 0; i < sizeof maps / sizeof maps[0]; i++)
        if (uc_mem_map_ptr(e->uc, maps[i].addr, maps[i].size, UC_PROT_ALL, maps[i].at)
            || uc_mem_protect(e->uc, maps[i].addr, maps[i].size, maps[i].prot))
            return false;
    return emu_bus_map(e)
        && !uc_hook_add(e->uc, &hook, UC_HOOK_BLOCK, (void *)emu_block_hook, e, 1, 0)
        && !uc_hook_add(e->uc, &hook, UC_HOOK_INTR, (void *)intr_hook, e, 1, 0)
        && !uc_hook_add(e->uc, &hook, UC_HOOK_INSN_INVALID, (void *)invalid_hook, e, 1, 0)
        && !uc_hook_add(e->uc, &hook, UC_HOOK_MEM_INVALID, (void *)memory_hook, e, 1, 0);
}

struct emu *emu_create(const char *store_path, const struct emu_config *config, int keep_id, char *error, size_t error_size)
{
    struct emu *e = calloc(1, sizeof *e);
    if (e == NULL)
        return NULL;
    e->store_fd = -1;
    e->config = *config;
    e->s.random = config->seed;
    e->ram = aligned_alloc(PAGE, RAM_SIZE);
    e->costs = calloc(COST_SLOTS, sizeof *e->costs);
    for (int i = 0; i < EV_COUNT; i++)
        e->s.when[i] = EMU_NEVER;
    for (int i = 0; i < UARTS; i++)
        e->s.uart[i].host_baud = 115200;
    if (e->ram == NULL || e->costs == NULL || !emu_store_open(e, store_path, keep_id, error, error_size)) {
        emu_destroy(e);
        return NULL;
    }
    memset(e->ram, 0, RAM_SIZE);
    uc_err err = uc_open(UC_ARCH_ARM, UC_MODE_THUMB | UC_MODE_MCLASS, &e->uc);
    if (!err)
        err = uc_ctl_set_cpu_model(e->uc, UC_CPU_ARM_CORTEX_M3);
    if (err || !map_memory(e)) {
        snprintf(error, error_size, "Unicorn cannot make a Cortex-M3: %s", uc_strerror(err));
        emu_destroy(e);
        return NULL;
    }
    emu_backup_domain_reset(e);
    return e;
}

void emu_destroy(struct emu *e)
{
    if (e == NULL)
        return;
    if (e->uc)
        uc_close(e->uc);
    emu_store_close(e);
    for (int i = 0; i < UARTS; i++) {
        emu_bytes_clear(&e->rx[i]);
        emu_bytes_clear(&e->tx[i]);
        free(e->rx[i].data);
        free(e->tx[i].data);
    }
    free(e->ram);
    free(e->costs);
    free(e);
}

/* Every reset: peripherals but the backup domain, then the CPU from the vectors at address 0. */
static void reset(struct emu *e, enum emu_cause cause)
{
    struct emu_state *s = &e->s;
    struct cpu cpu;
    s->reset_pending = 0;
    s->lockup = s->sleeping = s->wfe = false;
    s->violation_seen = 0;
    s->counters.resets[cause]++;
    s->counters.boots++;
    for (int i = 0; i < EV_COUNT; i++)
        if (i != EV_CUT && !(i >= EV_RX0 && i < EV_RX0 + UARTS))
            s->when[i] = EMU_NEVER;
    emu_rcc_reset(e, cause);
    emu_nvic_reset(e);
    emu_watchdog_reset(e);
    emu_flash_reset(e);
    for (int i = 0; i < UARTS; i++)
        emu_uart_reset(e, i);
    for (int i = 0; i < PORTS; i++)
        emu_gpio_reset(e, i);
    memset(&s->exti, 0, sizeof s->exti);
    memset(s->syscfg, 0, sizeof s->syscfg);
    memset(&s->systick, 0, sizeof s->systick);
    s->rng = (struct rng){0};
    s->pwr.cr = 0;
    s->crc = UINT32_MAX;
    s->crc_idr = s->dbgmcu_cr = 0;
    for (int i = 0; i < 13; i++)
        cpu.r[i] = emu_random(e); /* unknown on silicon */
    cpu.msp = emu_load32(e->store) & ~3u;
    cpu.psp = emu_random(e) & ~3u;
    cpu.lr = UINT32_MAX;
    cpu.pc = emu_load32(e->store + 4) & ~1u;
    cpu.xpsr = (emu_load32(e->store + 4) & 1) << 24;
    cpu.control = cpu.primask = cpu.basepri = cpu.faultmask = 0;
    emu_cpu_load(e, &cpu);
    emu_attention(e);
}

void emu_power_on(struct emu *e)
{
    if (e->s.powered)
        return;
    e->s.powered = true;
    e->cut = false;
    e->s.counters.erases_since_power_on = e->s.counters.programs_since_power_on = 0;
    for (uint32_t i = 0; i < RAM_SIZE; i += 4) {
        uint32_t noise = emu_random(e);
        memcpy(e->ram + i, &noise, 4);
    }
    emu_block_forget(e, RAM_BASE, RAM_SIZE);
    reset(e, EMU_POWER_ON);
}

void emu_power_off(struct emu *e)
{
    if (!e->s.powered)
        return;
    e->s.powered = false;
    e->s.reset_pending = 0;
    e->cut_operation = 0;
    emu_uart_power_off(e);
    emu_backup_power_off(e);
    for (int i = 0; i < EV_COUNT; i++)
        e->s.when[i] = EMU_NEVER;
    for (int i = 0; i < PORTS; i++)
        emu_gpio_reset(e, i);
    emu_attention(e);
}

void emu_reset_pin(struct emu *e)
{
    if (e->s.powered)
        emu_request_reset(e, EMU_PIN);
}

void emu_cut_now(struct emu *e)
{
    if (!e->s.powered)
        return;
    e->s.counters.cuts++;
    e->cut = true;
    emu_power_off(e);
}

void emu_cut_at_operation(struct emu *e, uint64_t operations_from_now, int mode)
{
    e->cut_operation = operations_from_now == 0 ? 0
        : e->s.counters.erases + e->s.counters.programs + operations_from_now;
    e->cut_mode = mode;
}

void emu_cut_at_time(struct emu *e, uint64_t time_ps) { emu_clock_at(e, EV_CUT, time_ps); }

/* The 16-bit instruction before pc, in the block that ran last; 0 when there is none. A WFE.W's second
 * half counts as WFE. */
static uint16_t hint_before(struct emu *e, uint32_t pc)
{
    uint16_t half[2] = {0, 0};
    if (pc - 2 < e->last_block || pc < 4)
        return 0;
    const uint8_t *p = emu_pointer(e, pc - 4, 4);
    if (p != NULL)
        memcpy(half, p, 4);
    if (half[0] == 0xF3AF && (half[1] & 0xFFF8) == 0x8000)
        return (uint16_t)(0xBF00 | (half[1] & 7) << 4);
    return half[1];
}

static void enter_sleep(struct emu *e, bool wfe)
{
    if (wfe && e->s.nvic.event) {
        e->s.nvic.event = false;
        return;
    }
    e->s.sleeping = true;
    e->s.wfe = wfe;
}

static void fetch_fault(struct emu *e, uint32_t pc)
{
    bool never_execute = (pc >= 0x40000000 && pc < 0x60000000) || pc >= 0xA0000000;
    emu_exception_fault(e, never_execute ? EXC_MEM : EXC_BUS, never_execute ? 1u << 0 : 1u << 8, pc, false);
}

/* UNDEFINSTR, or INVSTATE when the CPU is in ARM state, which the M3 has not. */
static void bad_instruction(struct emu *e)
{
    bool thumb = (emu_reg(e, UC_ARM_REG_XPSR) & (1u << 24)) != 0;
    emu_exception_fault(e, EXC_USAGE, thumb ? 1u << 16 : 1u << 17, 0, false);
}

static void intr_exit(struct emu *e)
{
    uint32_t pc = emu_reg(e, UC_ARM_REG_PC);
    switch (e->exit_intno) {
    case 2:
        emu_exception_sync(e, EXC_SVC);
        break;
    case 3:
        fetch_fault(e, pc);
        break;
    case 7: /* BKPT with no debugger: DFSR.BKPT, HFSR.DEBUGEVT */
        e->s.nvic.dfsr |= 2;
        e->s.nvic.hfsr |= 1u << 31;
        emu_exception_fault(e, EXC_HARD, 0, 0, false);
        break;
    case 8:
        emu_exception_exit(e);
        break;
    case 17: /* no coprocessor */
        emu_exception_fault(e, EXC_USAGE, 1u << 19, 0, false);
        break;
    default:
        bad_instruction(e);
        break;
    }
}

static void memory_exit(struct emu *e)
{
    bool fetch = e->fault_type == UC_MEM_FETCH_UNMAPPED || e->fault_type == UC_MEM_FETCH_PROT;
    if (emu_halted(e))
        return;
    if (fetch && e->fault_addr >= 0xFFFFFFE0 && (emu_reg(e, UC_ARM_REG_XPSR) & 0x1FF) != 0)
        emu_exception_exit(e);
    else if (fetch)
        fetch_fault(e, e->fault_addr);
    else
        emu_exception_fault(e, EXC_BUS, 1u << 9, e->fault_addr, true);
}

/* What stopped Unicorn, and what the CPU does about it. */
static void after_exit(struct emu *e, uc_err err)
{
    uint32_t pc = emu_reg(e, UC_ARM_REG_PC);
    uint16_t hint;
    switch (e->exit_kind) {
    case EXIT_BLOCK:
        return;
    case EXIT_INTR:
        intr_exit(e);
        return;
    case EXIT_MEMORY:
        memory_exit(e);
        return;
    case EXIT_DIV:
        emu_exception_fault(e, EXC_USAGE, 1u << 25, 0, false);
        return;
    case EXIT_INVALID: /* WFE and YIELD come this way too */
        hint = hint_before(e, pc);
        if (hint == 0xBF20)
            enter_sleep(e, true);
        else if (hint != 0xBF10)
            bad_instruction(e);
        return;
    case EXIT_NONE:
        if (err == UC_ERR_EXCEPTION)
            bad_instruction(e);
        else if (err)
            emu_failed(e, "the emulator stopped", err);
        else if (hint_before(e, pc) == 0xBF30)
            enter_sleep(e, false);
        return;
    }
}

static void execute(struct emu *e)
{
    uint32_t pc;
    if ((emu_reg(e, UC_ARM_REG_XPSR) & (1u << 24)) == 0) {
        bad_instruction(e);
        return;
    }
    pc = emu_reg(e, UC_ARM_REG_PC);
    if (pc >= 0xF0000000) { /* nothing can be fetched there, and NO_END is there */
        fetch_fault(e, pc);
        return;
    }
    e->attention = false;
    e->exit_kind = EXIT_NONE;
    e->poll_masks = emu_exception_waiting(e);
    e->stop_at_ps = emu_clock_next(e);
    if (e->until_ps < e->stop_at_ps)
        e->stop_at_ps = e->until_ps;
    e->deadline_ps = e->poll_masks ? 0 : e->stop_at_ps;
    after_exit(e, uc_emu_start(e->uc, pc | 1, NO_END, 0, 0));
}

int emu_run(struct emu *e, uint64_t until_ps)
{
    struct emu_state *s = &e->s;
    e->stop_request = false;
    e->until_ps = until_ps;
    if (!s->powered)
        return EMU_OFF;
    for (;;) {
        emu_clock_advance(e, s->now_ps);
        if (e->error[0])
            return EMU_INTERNAL;
        if (e->cut) {
            e->cut = false;
            return EMU_POWER_CUT;
        }
        if (!s->powered)
            return EMU_OFF;
        if (s->reset_pending)
            reset(e, (enum emu_cause)(s->reset_pending - 1));
        if (e->stop_request)
            return EMU_STOPPED;
        if (s->now_ps >= until_ps)
            return s->lockup ? EMU_LOCKUP : EMU_TIME;
        if (!s->lockup)
            emu_exception_poll(e);
        if (s->sleeping && emu_exception_wakes(e))
            s->sleeping = false;
        if (s->lockup || s->sleeping) {
            uint64_t next = emu_clock_next(e);
            emu_clock_advance(e, next < until_ps ? next : until_ps);
        } else {
            execute(e);
        }
    }
}

void emu_stop(struct emu *e)
{
    e->stop_request = true;
    emu_attention(e);
}

int emu_is_powered(struct emu *e) { return e->s.powered; }

uint64_t emu_time(struct emu *e) { return e->s.now_ps; }

const char *emu_error(struct emu *e) { return e->error; }

void emu_get_counters(struct emu *e, struct emu_counters *out) { *out = e->s.counters; }

uint32_t emu_hclk_hz(struct emu *e) { return e->s.rcc.hclk_hz; }

size_t emu_get_faults(struct emu *e, struct emu_fault *out, size_t room)
{
    uint64_t total = e->s.counters.faults;
    size_t n = total < FAULT_LOG ? (size_t)total : FAULT_LOG;
    if (n > room)
        n = room;
    for (size_t i = 0; i < n; i++)
        out[i] = e->s.faults[(total - n + i) % FAULT_LOG];
    return n;
}

size_t emu_get_violations(struct emu *e, struct emu_violation *out, size_t room)
{
    uint64_t total = e->s.counters.violations;
    size_t n = total < VIOLATION_LOG ? (size_t)total : VIOLATION_LOG;
    if (n > room)
        n = room;
    memcpy(out, e->s.violations, n * sizeof *out);
    return n;
}

void emu_get_registers(struct emu *e, uint32_t *regs)
{
    struct cpu cpu;
    emu_cpu_save(e, &cpu);
    memcpy(regs, cpu.r, sizeof cpu.r);
    regs[13] = emu_reg(e, UC_ARM_REG_SP);
    regs[14] = cpu.lr;
    regs[15] = cpu.pc;
    regs[16] = cpu.xpsr;
}

int emu_memory_read(struct emu *e, uint32_t addr, uint8_t *out, uint32_t len)
{
    const uint8_t *p = emu_pointer(e, addr, len);
    if (p == NULL)
        return -1;
    memcpy(out, p, len);
    return 0;
}

/* Host access, as a debug probe's: no rule of the flash controller applies. */
int emu_memory_write(struct emu *e, uint32_t addr, const uint8_t *data, uint32_t len)
{
    uint8_t *p = emu_pointer(e, addr, len);
    if (p == NULL)
        return -1;
    memcpy(p, data, len);
    emu_block_forget(e, addr, len);
    return 0;
}
