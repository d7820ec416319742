/* SPDX-License-Identifier: Apache-2.0 */
/* The flash controller (PM0059) and what it does to the rest of the chip: there is one bank, so the CPU
 * stalls while an operation runs, and a cut or a watchdog in the middle of one leaves it half done.
 * Durations are typical values of the datasheet (tables "Flash memory programming"). */
#include "emu.h"

enum { EOP = 1 << 0, OPERR = 1 << 1, WRPERR = 1 << 4, PGAERR = 1 << 5, PGPERR = 1 << 6, PGSERR = 1 << 7,
       SR_ERRORS = OPERR | WRPERR | PGAERR | PGPERR | PGSERR };
enum { PG = 1 << 0, SER = 1 << 1, MER = 1 << 2, STRT = 1 << 16, EOPIE = 1 << 24, ERRIE = 1 << 25 };
#define LOCK (1u << 31)
enum { OPTLOCK = 1, OPTSTRT = 2, OPT_BITS = 0x0FFFFFEC, OPT_FACTORY = 0x0FFFAAEC };
static const uint32_t main_keys[2] = {0x45670123, 0xCDEF89AB}, option_keys[2] = {0x08192A3B, 0x4C5D6E7F};

struct range { uint32_t off, len; };

static struct range sector_range(uint32_t sector)
{
    if (sector < 4)
        return (struct range){sector * 0x4000, 0x4000};
    if (sector == 4)
        return (struct range){0x10000, 0x10000};
    return (struct range){0x20000 * (sector - 4), 0x20000};
}

static uint32_t sector_of(uint32_t off)
{
    if (off < 0x10000)
        return off / 0x4000;
    return off < 0x20000 ? 4 : 4 + off / 0x20000;
}

/* Option bytes in flash: ROP and USER at 0x1FFFC000, nWRP at 0x1FFFC008. */
static uint32_t load_options(const struct emu *e)
{
    const uint8_t *page = e->store + FLASH_SIZE + PAGE;
    return ((uint32_t)(page[8] | page[9] << 8) << 16 | (uint32_t)page[1] << 8 | page[0]) & OPT_BITS;
}

static void save_options(struct emu *e, uint32_t optcr)
{
    uint8_t *page = e->store + FLASH_SIZE + PAGE;
    page[0] = (uint8_t)(optcr & 0xEC);
    page[1] = (uint8_t)(optcr >> 8);
    page[8] = (uint8_t)(optcr >> 16);
    page[9] = (uint8_t)(optcr >> 24 & 0x0F);
}

void emu_flash_reset(struct emu *e)
{
    uint32_t options = load_options(e);
    e->s.flash = (struct flash){.cr = LOCK, .optcr = options | OPTLOCK, .active_optcr = options};
    if ((options & (1u << 5)) == 0) /* WDG_SW = 0: the watchdog starts by itself */
        emu_iwdg_start(e);
}

static void update_irq(struct emu *e)
{
    const struct flash *f = &e->s.flash;
    emu_irq_level(e, IRQ_FLASH, ((f->sr & EOP) && (f->cr & EOPIE)) || ((f->sr & OPERR) && (f->cr & ERRIE)));
}

static void refuse(struct emu *e, uint32_t error)
{
    e->s.flash.sr |= error;
    if (e->s.flash.cr & ERRIE)
        e->s.flash.sr |= OPERR;
    update_irq(e);
}

/* How far an operation got. */
enum progress { DONE, NOT_BEGUN, HALF };

/* Let an operation of this length run, the CPU standing still. Afterwards nothing may be assumed: power
 * may be gone or a reset due. */
static enum progress run_operation(struct emu *e, bool erase, uint64_t duration_ps)
{
    struct emu_counters *c = &e->s.counters;
    if (erase) {
        c->erases++;
        c->erases_since_power_on++;
    } else {
        c->programs++;
        c->programs_since_power_on++;
    }
    if (e->cut_operation != 0 && c->erases + c->programs >= e->cut_operation) {
        int mode = e->cut_mode;
        if (mode == EMU_CUT_TORN)
            emu_clock_advance(e, e->s.now_ps + duration_ps / 2);
        emu_cut_now(e);
        return mode == EMU_CUT_TORN ? HALF : NOT_BEGUN;
    }
    emu_clock_advance(e, e->s.now_ps + duration_ps);
    return emu_halted(e) ? HALF : DONE;
}

static void finish(struct emu *e)
{
    if (e->s.flash.cr & EOPIE)
        e->s.flash.sr |= EOP;
    update_irq(e);
}

/* Half an erase: words that are erased, words that are as before, and words in between. */
static void erase_range(struct emu *e, struct range r, enum progress progress)
{
    uint8_t *p = e->store + r.off;
    if (progress == NOT_BEGUN)
        return;
    if (progress == DONE) {
        memset(p, 0xFF, r.len);
    } else {
        for (uint32_t i = 0; i < r.len; i += 4) {
            uint32_t dice = emu_random(e), word = emu_load32(p + i);
            if ((dice & 3) == 0)
                word = UINT32_MAX;
            else if ((dice & 3) != 1)
                word |= emu_random(e);
            memcpy(p + i, &word, 4);
        }
    }
    emu_block_forget(e, FLASH_BASE + r.off, r.len);
}

/* Erase times by parallelism: 16, 64 and 128 KiB sector, whole chip. */
static uint64_t erase_ps(const struct emu *e, uint32_t len)
{
    static const uint16_t ms[3][4] = {{400, 1200, 2000, 16000}, {300, 700, 1300, 11000}, {250, 550, 1000, 8000}};
    uint32_t psize = e->s.flash.cr >> 8 & 3;
    const uint16_t *row = ms[psize > 2 ? 2 : psize];
    return PS_PER_MS * (len == 0x4000 ? row[0] : len == 0x10000 ? row[1] : len == 0x20000 ? row[2] : row[3]);
}

static void start(struct emu *e)
{
    struct flash *f = &e->s.flash;
    struct range r = {0, FLASH_SIZE};
    uint32_t nwrp = f->active_optcr >> 16, sector = f->cr >> 3 & 0xF;
    if ((f->cr & PG) || !(f->cr & SER) == !(f->cr & MER) || (!(f->cr & MER) && sector >= SECTORS)) {
        refuse(e, PGSERR);
        return;
    }
    if (f->cr & SER)
        r = sector_range(sector);
    if ((f->cr & SER) ? !(nwrp >> sector & 1) : (nwrp & 0xFFF) != 0xFFF) {
        refuse(e, WRPERR);
        return;
    }
    erase_range(e, r, run_operation(e, true, erase_ps(e, r.len)));
    if (!emu_halted(e))
        finish(e);
}

static void start_options(struct emu *e)
{
    uint32_t old = e->s.flash.active_optcr, wanted = e->s.flash.optcr & OPT_BITS;
    enum progress progress = run_operation(e, true, 300 * PS_PER_MS);
    if (progress == HALF) /* protection bits at random; RDP as it was, or the device could never be read again */
        save_options(e, (old & 0xFFFF) | (emu_random(e) & 0x0FFF0000));
    else if (progress == DONE)
        save_options(e, wanted);
    if (progress == DONE) {
        e->s.flash.active_optcr = wanted;
        finish(e);
    }
}

/* A store by the program into flash, OTP or another read-only page. False: a precise bus fault. */
bool emu_flash_store(struct emu *e, uint32_t addr, uint32_t size, uint64_t value64)
{
    struct flash *f = &e->s.flash;
    uint8_t *p = emu_pointer(e, addr, size);
    uint32_t off = addr >= FLASH_BASE ? addr - FLASH_BASE : addr, value = (uint32_t)value64, keep = 0;
    uint32_t otp_off = addr - (SYSTEM_BASE + OTP_OFFSET);
    bool otp = otp_off < 0x210;
    if (p == NULL || (off >= FLASH_SIZE && addr - SYSTEM_BASE >= PAGE))
        return false;
    if ((f->cr & LOCK) || !(f->cr & PG) || (f->cr & (SER | MER))) {
        refuse(e, PGSERR);
        return true;
    }
    if (size != 1u << (f->cr >> 8 & 3) || addr % size != 0) {
        refuse(e, (addr & 15) + size > 16 ? PGPERR | PGAERR : PGPERR);
        return true;
    }
    if (off < FLASH_SIZE ? !(f->active_optcr >> (16 + sector_of(off)) & 1)
                         : !otp || (otp_off < 0x200 && e->store[FLASH_SIZE + OTP_LOCK_OFFSET + otp_off / 32] == 0)) {
        refuse(e, WRPERR);
        return true;
    }
    switch (run_operation(e, false, 16 * PS_PER_US)) {
    case NOT_BEGUN: return false; /* power is gone: stop right here */
    case HALF: keep = emu_random(e); break; /* some of the bits that should clear did */
    case DONE: break;
    }
    for (uint32_t i = 0; i < size; i++)
        p[i] &= (uint8_t)((value | keep) >> (8 * i));
    if (off < FLASH_SIZE)
        emu_block_forget(e, addr, size);
    if (emu_halted(e))
        return false;
    finish(e);
    return true;
}

/* One step of a key sequence. A wrong key answers with a bus error and locks until the next reset. */
static bool key_step(struct emu *e, const uint32_t keys[2], uint32_t value, uint8_t *step, bool *dead, bool unlocked)
{
    if (*dead || unlocked || value != keys[*step]) {
        *dead = true;
        *step = 0;
        e->s.nvic.cfsr |= 1u << 10; /* IMPRECISERR */
        if (e->s.nvic.shcsr_enable & (1u << 17)) {
            emu_pend(e, EXC_BUS);
        } else {
            e->s.nvic.hfsr |= 1u << 30;
            emu_pend(e, EXC_HARD);
        }
        return false;
    }
    *step ^= 1;
    return *step == 0;
}

uint32_t emu_flash_read(struct emu *e, int index, uint32_t off)
{
    const struct flash *f = &e->s.flash;
    (void)index;
    switch (off) {
    case 0x00: return f->acr;
    case 0x0C: return f->sr;
    case 0x10: return f->cr;
    case 0x14: return f->optcr;
    default: return 0;
    }
}

static void write_cr(struct emu *e, uint32_t value, uint32_t mask)
{
    struct flash *f = &e->s.flash;
    if (f->cr & LOCK)
        return;
    emu_set(&f->cr, value, mask & (0x0300037F | LOCK));
    update_irq(e);
    if ((value & mask & STRT) && !(f->cr & LOCK))
        start(e);
}

static void write_optcr(struct emu *e, uint32_t value, uint32_t mask)
{
    struct flash *f = &e->s.flash;
    if (f->optcr & OPTLOCK)
        return;
    emu_set(&f->optcr, value, mask & (OPT_BITS | OPTLOCK));
    if ((value & mask & OPTSTRT) && !(f->optcr & OPTLOCK))
        start_options(e);
}

void emu_flash_write(struct emu *e, int index, uint32_t off, uint32_t value, uint32_t mask)
{
    struct flash *f = &e->s.flash;
    (void)index;
    switch (off) {
    case 0x00:
        emu_set(&f->acr, value & 0x1F07, mask);
        emu_rcc_check_latency(e);
        break;
    case 0x04:
        if (key_step(e, main_keys, value, &f->key_step, &f->key_dead, !(f->cr & LOCK)))
            f->cr &= ~LOCK;
        break;
    case 0x08:
        if (key_step(e, option_keys, value, &f->optkey_step, &f->optkey_dead, !(f->optcr & OPTLOCK)))
            f->optcr &= ~(uint32_t)OPTLOCK;
        break;
    case 0x0C:
        f->sr &= ~(value & mask & (EOP | SR_ERRORS));
        update_irq(e);
        break;
    case 0x10: write_cr(e, value, mask); break;
    case 0x14: write_optcr(e, value, mask); break;
    default: break;
    }
}
