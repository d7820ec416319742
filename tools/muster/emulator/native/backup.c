/* SPDX-License-Identifier: Apache-2.0 */
/* The backup domain: RTC backup registers and backup SRAM, behind PWR_CR.DBP (RM0033 sections 3.1, 20.6).
 * The RTC's calendar is not modelled. */
#include "emu.h"

enum { DBP = 1 << 8, BRE = 1 << 9, BRR = 1 << 3 };

void emu_backup_domain_reset(struct emu *e)
{
    memset(e->s.backup.bkp, 0, sizeof e->s.backup.bkp);
    e->s.backup.bdcr = 0;
}

/* Without a battery nothing is left. With one the registers stay, and the SRAM if its regulator was on. */
void emu_backup_power_off(struct emu *e)
{
    bool keep_sram = e->config.battery && (e->s.pwr.csr & BRE);
    if (!e->config.battery) {
        emu_backup_domain_reset(e);
        e->s.pwr.csr = 0;
    }
    if (!keep_sram)
        for (uint32_t i = 0; i < sizeof e->s.backup.sram; i++)
            e->s.backup.sram[i] = (uint8_t)emu_random(e);
}

static bool writable(const struct emu *e) { return (e->s.pwr.cr & DBP) != 0; }

uint32_t emu_rtc_read(struct emu *e, int index, uint32_t off)
{
    (void)index;
    return off >= 0x50 && off < 0xA0 ? e->s.backup.bkp[(off - 0x50) / 4] : 0;
}

void emu_rtc_write(struct emu *e, int index, uint32_t off, uint32_t value, uint32_t mask)
{
    (void)index;
    if (writable(e) && off >= 0x50 && off < 0xA0)
        emu_set(&e->s.backup.bkp[(off - 0x50) / 4], value, mask);
}

uint32_t emu_pwr_read(struct emu *e, int index, uint32_t off)
{
    (void)index;
    if (off == 0)
        return e->s.pwr.cr;
    return off == 4 ? e->s.pwr.csr : 0;
}

void emu_pwr_write(struct emu *e, int index, uint32_t off, uint32_t value, uint32_t mask)
{
    (void)index;
    if (off == 0)
        emu_set(&e->s.pwr.cr, value & 0x3F3, mask);
    if (off == 4) {
        emu_set(&e->s.pwr.csr, value & (BRE | 1u << 8), mask);
        e->s.pwr.csr = (e->s.pwr.csr & ~(uint32_t)BRR) | ((e->s.pwr.csr & BRE) ? BRR : 0);
    }
}

uint32_t emu_backup_sram_read(struct emu *e, int index, uint32_t off)
{
    return emu_load32(e->s.backup.sram + 1024 * index + off);
}

void emu_backup_sram_write(struct emu *e, int index, uint32_t off, uint32_t value, uint32_t mask)
{
    uint32_t word = emu_load32(e->s.backup.sram + 1024 * index + off);
    if (!writable(e))
        return;
    emu_set(&word, value, mask);
    memcpy(e->s.backup.sram + 1024 * index + off, &word, 4);
}
