/* SPDX-License-Identifier: Apache-2.0 */
/* Exception entry, return, faults and lockup, as the ARMv7-M architecture manual's section B1.5 has them.
 * Unicorn delivers none of this for the M profile. */
#include "emu.h"

enum { THREAD_PRIORITY = 256, FRAME = 32 };
enum { CFSR_IACCVIOL = 1 << 0, CFSR_UNSTKERR = 1 << 11, CFSR_STKERR = 1 << 12, CFSR_INVSTATE = 1 << 17, CFSR_INVPC = 1 << 18 };
enum { HFSR_VECTTBL = 1 << 1, HFSR_FORCED = 1 << 30 };
enum { CYCLES_ENTRY = 12, CYCLES_EXIT = 10, CYCLES_CHAIN = 6 };

static const int low_regs[13] = {
    UC_ARM_REG_R0, UC_ARM_REG_R1, UC_ARM_REG_R2, UC_ARM_REG_R3, UC_ARM_REG_R4, UC_ARM_REG_R5, UC_ARM_REG_R6,
    UC_ARM_REG_R7, UC_ARM_REG_R8, UC_ARM_REG_R9, UC_ARM_REG_R10, UC_ARM_REG_R11, UC_ARM_REG_R12,
};

uint32_t emu_reg(struct emu *e, int reg)
{
    uint32_t value = 0;
    uc_reg_read(e->uc, reg, &value);
    return value;
}

void emu_set_reg(struct emu *e, int reg, uint32_t value) { uc_reg_write(e->uc, reg, &value); }

void emu_cpu_save(struct emu *e, struct cpu *cpu)
{
    for (int i = 0; i < 13; i++)
        cpu->r[i] = emu_reg(e, low_regs[i]);
    cpu->msp = emu_reg(e, UC_ARM_REG_MSP);
    cpu->psp = emu_reg(e, UC_ARM_REG_PSP);
    cpu->lr = emu_reg(e, UC_ARM_REG_LR);
    cpu->pc = emu_reg(e, UC_ARM_REG_PC);
    cpu->xpsr = emu_reg(e, UC_ARM_REG_XPSR);
    cpu->control = emu_reg(e, UC_ARM_REG_CONTROL);
    cpu->primask = emu_reg(e, UC_ARM_REG_PRIMASK);
    cpu->basepri = emu_reg(e, UC_ARM_REG_BASEPRI);
    cpu->faultmask = emu_reg(e, UC_ARM_REG_FAULTMASK);
}

void emu_cpu_load(struct emu *e, const struct cpu *cpu)
{
    emu_set_reg(e, UC_ARM_REG_XPSR, 0x01000003); /* handler mode: privileged, so that all else can be written */
    emu_set_reg(e, UC_ARM_REG_PRIMASK, cpu->primask);
    emu_set_reg(e, UC_ARM_REG_BASEPRI, cpu->basepri);
    emu_set_reg(e, UC_ARM_REG_FAULTMASK, cpu->faultmask);
    emu_set_reg(e, UC_ARM_REG_MSP, cpu->msp);
    emu_set_reg(e, UC_ARM_REG_PSP, cpu->psp);
    emu_set_reg(e, UC_ARM_REG_CONTROL, 0);
    emu_set_reg(e, UC_ARM_REG_XPSR, 0x01000000); /* thread mode: the stack can be chosen here only */
    emu_set_reg(e, UC_ARM_REG_CONTROL, cpu->control);
    for (int i = 0; i < 13; i++)
        emu_set_reg(e, low_regs[i], cpu->r[i]);
    emu_set_reg(e, UC_ARM_REG_LR, cpu->lr);
    emu_set_reg(e, UC_ARM_REG_PC, cpu->pc | 1);
    emu_set_reg(e, UC_ARM_REG_XPSR, cpu->xpsr);
}

static int group_of(const struct emu *e, int priority)
{
    return priority < 0 ? priority : priority & ~((2 << e->s.nvic.prigroup) - 1);
}

static int priority_of(const struct emu *e, int exception)
{
    switch (exception) {
    case EXC_NMI: return -2;
    case EXC_HARD: return -1;
    default: return e->s.nvic.priority[exception];
    }
}

static int active_priority(const struct emu *e)
{
    int best = THREAD_PRIORITY;
    for (int i = EXC_NMI; i < EXCEPTIONS; i++)
        if (e->s.nvic.active[i]) {
            int p = group_of(e, priority_of(e, i));
            best = p < best ? p : best;
        }
    return best;
}

static int masked_priority(struct emu *e, int priority)
{
    int basepri = (int)emu_reg(e, UC_ARM_REG_BASEPRI) & 0xFF;
    if (basepri != 0 && group_of(e, basepri) < priority)
        priority = group_of(e, basepri);
    if ((emu_reg(e, UC_ARM_REG_PRIMASK) & 1) && priority > 0)
        priority = 0;
    if ((emu_reg(e, UC_ARM_REG_FAULTMASK) & 1) && priority > -1)
        priority = -1;
    return priority;
}

/* The pending exception that comes first, or 0. */
static int first_pending(const struct emu *e)
{
    const struct nvic *n = &e->s.nvic;
    int best = 0, best_priority = THREAD_PRIORITY + 1;
    if (memchr(n->pending, 1, sizeof n->pending) == NULL)
        return 0;
    for (int i = EXC_NMI; i < EXCEPTIONS; i++) {
        if (!n->pending[i] || (i >= 16 && !n->enabled[i]))
            continue;
        if (priority_of(e, i) < best_priority) {
            best = i;
            best_priority = priority_of(e, i);
        }
    }
    return best;
}

/* True when a pending exception is held back by PRIMASK, BASEPRI or FAULTMASK alone: a change of these
 * gives no notice, so the block hook has to look. */
bool emu_exception_waiting(struct emu *e)
{
    int first = first_pending(e), active, priority;
    if (first == 0)
        return false;
    priority = group_of(e, priority_of(e, first));
    active = active_priority(e);
    return priority < active && priority >= masked_priority(e, active);
}

/* WFI wakes for what would be taken if PRIMASK were 0; WFE also for an event. */
bool emu_exception_wakes(struct emu *e)
{
    int first = first_pending(e);
    if (e->s.wfe && e->s.nvic.event) {
        e->s.nvic.event = false;
        return true;
    }
    return first != 0 && group_of(e, priority_of(e, first)) < active_priority(e);
}

static uint8_t *ram_frame(struct emu *e, uint32_t addr)
{
    return addr - RAM_BASE <= RAM_SIZE - FRAME ? e->ram + (addr - RAM_BASE) : NULL;
}

static void note_fault(struct emu *e, int exception, bool lockup)
{
    struct emu_fault *f = &e->s.faults[e->s.counters.faults++ % FAULT_LOG];
    const struct nvic *n = &e->s.nvic;
    *f = (struct emu_fault){.time_ps = e->s.now_ps, .exception = (uint32_t)exception, .lockup = lockup,
                            .cfsr = n->cfsr, .hfsr = n->hfsr, .mmfar = n->mmfar, .bfar = n->bfar};
    emu_get_registers(e, f->regs);
    for (uint32_t i = 0; i < 16; i++) {
        uint32_t addr = f->regs[13] + 4 * i;
        if (addr - RAM_BASE > RAM_SIZE - 4)
            break;
        f->stack[i] = emu_load32(e->ram + (addr - RAM_BASE));
        f->stack_words++;
    }
}

static void lock_up(struct emu *e, int exception)
{
    note_fault(e, exception, true);
    e->s.lockup = true;
    e->s.sleeping = false;
}

/* The handler for a fault: its own when it is enabled and of sufficient priority, else HardFault. */
static int escalate(struct emu *e, int exception)
{
    int current = masked_priority(e, active_priority(e));
    bool enabled = exception == EXC_SVC
        || (exception != EXC_HARD && (e->s.nvic.shcsr_enable & (1u << (16 + exception - EXC_MEM))) != 0);
    if (enabled && group_of(e, priority_of(e, exception)) < current)
        return exception;
    if (exception != EXC_HARD)
        e->s.nvic.hfsr |= HFSR_FORCED;
    return current > -1 ? EXC_HARD : 0;
}

/* The last part of an entry, which tail-chaining shares: the CPU is in handler mode of `exception` after. */
static void enter(struct emu *e, int exception, uint32_t lr)
{
    struct nvic *n = &e->s.nvic;
    const uint8_t *vector = emu_pointer(e, n->vtor + 4 * (uint32_t)exception, 4);
    uint32_t target;
    n->pending[exception] = false;
    n->active[exception] = true;
    n->event = true;
    emu_set_reg(e, UC_ARM_REG_XPSR, 0x01000000 | (uint32_t)exception);
    emu_set_reg(e, UC_ARM_REG_LR, lr);
    if (vector == NULL) {
        n->hfsr |= HFSR_VECTTBL;
        lock_up(e, exception);
        return;
    }
    target = emu_load32(vector);
    emu_set_reg(e, UC_ARM_REG_PC, target | 1);
    emu_set_reg(e, UC_ARM_REG_XPSR, (target & 1) << 24 | (uint32_t)exception);
}

static void take(struct emu *e, int exception)
{
    struct nvic *n = &e->s.nvic;
    uint32_t xpsr = emu_reg(e, UC_ARM_REG_XPSR), control = emu_reg(e, UC_ARM_REG_CONTROL);
    bool handler = (xpsr & 0x1FF) != 0;
    bool process = !handler && (control & 2) != 0;
    uint32_t sp = emu_reg(e, UC_ARM_REG_SP), frame = sp - FRAME;
    uint8_t *stacked;
    e->s.now_ps += CYCLES_ENTRY * e->s.cycle_ps;
    if ((n->ccr & (1u << 9)) && (sp & 4)) {
        frame -= 4;
        xpsr |= 1u << 9;
    }
    stacked = ram_frame(e, frame);
    if (stacked != NULL) {
        uint32_t words[8] = {
            emu_reg(e, UC_ARM_REG_R0), emu_reg(e, UC_ARM_REG_R1), emu_reg(e, UC_ARM_REG_R2), emu_reg(e, UC_ARM_REG_R3),
            emu_reg(e, UC_ARM_REG_R12), emu_reg(e, UC_ARM_REG_LR), emu_reg(e, UC_ARM_REG_PC), xpsr,
        };
        memcpy(stacked, words, FRAME);
    } else {
        n->cfsr |= CFSR_STKERR;
        if (exception != EXC_HARD && exception != EXC_NMI) {
            exception = escalate(e, EXC_BUS);
            if (exception == 0) {
                lock_up(e, EXC_BUS);
                return;
            }
            note_fault(e, exception, false);
        }
    }
    emu_set_reg(e, process ? UC_ARM_REG_PSP : UC_ARM_REG_MSP, frame);
    if (process)
        emu_set_reg(e, UC_ARM_REG_CONTROL, control & ~2u);
    enter(e, exception, handler ? 0xFFFFFFF1 : process ? 0xFFFFFFFD : 0xFFFFFFF9);
}

/* A fault at the instruction the CPU is at: recorded, then taken, or the CPU locks up. */
void emu_exception_fault(struct emu *e, enum exception exception, uint32_t cfsr_bits, uint32_t addr, bool addr_valid)
{
    struct nvic *n = &e->s.nvic;
    int target;
    n->cfsr |= cfsr_bits;
    if (addr_valid) {
        n->bfar = addr;
        n->cfsr |= 1u << 15;
    }
    target = escalate(e, exception);
    if (target == 0) {
        lock_up(e, exception);
        return;
    }
    note_fault(e, target, false);
    take(e, target);
}

/* SVC: taken at once or escalated, never left pending. */
void emu_exception_sync(struct emu *e, enum exception exception)
{
    int target = escalate(e, exception);
    if (target == 0) {
        lock_up(e, exception);
        return;
    }
    if (target != (int)exception)
        note_fault(e, target, false);
    take(e, target);
}

static bool preempts(struct emu *e, int exception)
{
    return exception != 0 && group_of(e, priority_of(e, exception)) < masked_priority(e, active_priority(e));
}

void emu_exception_poll(struct emu *e)
{
    int first = first_pending(e);
    if (!preempts(e, first))
        return;
    e->s.sleeping = false;
    if (first >= EXC_HARD && first <= EXC_USAGE)
        note_fault(e, first, false); /* an imprecise bus error, or one that software pended */
    take(e, first);
}

static void chain_fault(struct emu *e, int exception, uint32_t cfsr_bits, uint32_t lr)
{
    int target;
    e->s.nvic.cfsr |= cfsr_bits;
    target = escalate(e, exception);
    if (target == 0) {
        lock_up(e, exception);
        return;
    }
    note_fault(e, target, false);
    enter(e, target, lr);
}

static void unstack(struct emu *e, uint32_t exc_return)
{
    bool to_thread = (exc_return & 0xF) != 1, process = (exc_return & 0xF) == 0xD;
    int sp_reg = process ? UC_ARM_REG_PSP : UC_ARM_REG_MSP;
    uint32_t frame = emu_reg(e, sp_reg), words[8], control;
    const uint8_t *stacked = ram_frame(e, frame);
    if (stacked == NULL) {
        chain_fault(e, EXC_BUS, CFSR_UNSTKERR, exc_return);
        return;
    }
    memcpy(words, stacked, FRAME);
    if (((words[7] & 0x1FF) == 0) != to_thread) {
        chain_fault(e, EXC_USAGE, CFSR_INVPC, exc_return);
        return;
    }
    e->s.now_ps += CYCLES_EXIT * e->s.cycle_ps;
    emu_set_reg(e, sp_reg, frame + FRAME + ((words[7] & (1u << 9)) ? 4 : 0));
    emu_set_reg(e, UC_ARM_REG_PC, words[6] | 1);
    emu_set_reg(e, UC_ARM_REG_XPSR, words[7] & ~(1u << 9));
    if (to_thread) {
        control = emu_reg(e, UC_ARM_REG_CONTROL);
        if (((control & 2) != 0) != process)
            emu_set_reg(e, UC_ARM_REG_CONTROL, (control & ~2u) | (process ? 2 : 0));
    }
    emu_set_reg(e, UC_ARM_REG_R0, words[0]);
    emu_set_reg(e, UC_ARM_REG_R1, words[1]);
    emu_set_reg(e, UC_ARM_REG_R2, words[2]);
    emu_set_reg(e, UC_ARM_REG_R3, words[3]);
    emu_set_reg(e, UC_ARM_REG_R12, words[4]);
    emu_set_reg(e, UC_ARM_REG_LR, words[5]);
    if (to_thread && (e->s.nvic.scr & 2)) {
        e->s.sleeping = true;
        e->s.wfe = false;
    }
}

void emu_exception_exit(struct emu *e)
{
    struct nvic *n = &e->s.nvic;
    uint32_t exc_return = emu_reg(e, UC_ARM_REG_PC) | 1;
    uint32_t number = emu_reg(e, UC_ARM_REG_XPSR) & 0x1FF;
    bool nested = false;
    int next;
    if (number == 0) { /* in thread mode the magic number is a plain address, and not executable */
        emu_exception_fault(e, EXC_MEM, CFSR_IACCVIOL, 0, false);
        return;
    }
    if (number >= EXCEPTIONS || !n->active[number]) {
        chain_fault(e, EXC_USAGE, CFSR_INVPC, exc_return);
        return;
    }
    n->active[number] = false;
    n->event = true;
    if (number != EXC_NMI)
        emu_set_reg(e, UC_ARM_REG_FAULTMASK, 0);
    if (n->level[number])
        n->pending[number] = true;
    for (int i = EXC_NMI; i < EXCEPTIONS; i++)
        nested |= n->active[i];
    switch (exc_return & 0x0FFFFFFF) {
    case 0x0FFFFFF1:
        if (nested)
            break;
        chain_fault(e, EXC_USAGE, CFSR_INVPC, exc_return);
        return;
    case 0x0FFFFFF9:
    case 0x0FFFFFFD:
        if (!nested || (n->ccr & 1))
            break;
        chain_fault(e, EXC_USAGE, CFSR_INVPC, exc_return);
        return;
    default:
        chain_fault(e, EXC_USAGE, CFSR_INVPC, exc_return);
        return;
    }
    emu_clock_advance(e, e->s.now_ps);
    next = first_pending(e);
    if (preempts(e, next)) { /* tail-chaining: the frame stays on the stack */
        e->s.now_ps += CYCLES_CHAIN * e->s.cycle_ps;
        enter(e, next, exc_return);
        return;
    }
    unstack(e, exc_return);
}
