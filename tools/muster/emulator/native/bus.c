/* SPDX-License-Identifier: Apache-2.0 */
/* From an address to a peripheral. One without its clock reads 0 and ignores writes; so does every
 * address that is not modelled. The bit-band aliases of RAM and peripherals are here too. */
#include "emu.h"

enum { AHB1, AHB2, AHB3, APB1, APB2, ALWAYS };

struct slot {
    uint32_t base;
    uint32_t (*read)(struct emu *e, int index, uint32_t off);
    void (*write)(struct emu *e, int index, uint32_t off, uint32_t value, uint32_t mask);
    int8_t index, bus, bit;
};

static const struct slot slots[] = {
    {0x40002800, emu_rtc_read, emu_rtc_write, 0, ALWAYS, 0},
    {0x40002C00, emu_wwdg_read, emu_wwdg_write, 0, APB1, 11},
    {0x40003000, emu_iwdg_read, emu_iwdg_write, 0, ALWAYS, 0},
    {0x40004400, emu_uart_reg_read, emu_uart_reg_write, 1, APB1, 17},
    {0x40004800, emu_uart_reg_read, emu_uart_reg_write, 2, APB1, 18},
    {0x40004C00, emu_uart_reg_read, emu_uart_reg_write, 3, APB1, 19},
    {0x40005000, emu_uart_reg_read, emu_uart_reg_write, 4, APB1, 20},
    {0x40007000, emu_pwr_read, emu_pwr_write, 0, APB1, 28},
    {0x40011000, emu_uart_reg_read, emu_uart_reg_write, 0, APB2, 4},
    {0x40011400, emu_uart_reg_read, emu_uart_reg_write, 5, APB2, 5},
    {0x40013800, emu_syscfg_read, emu_syscfg_write, 0, APB2, 14},
    {0x40013C00, emu_exti_read, emu_exti_write, 0, ALWAYS, 0},
    {0x40020000, emu_gpio_read, emu_gpio_write, 0, AHB1, 0},
    {0x40020400, emu_gpio_read, emu_gpio_write, 1, AHB1, 1},
    {0x40020800, emu_gpio_read, emu_gpio_write, 2, AHB1, 2},
    {0x40020C00, emu_gpio_read, emu_gpio_write, 3, AHB1, 3},
    {0x40021000, emu_gpio_read, emu_gpio_write, 4, AHB1, 4},
    {0x40021400, emu_gpio_read, emu_gpio_write, 5, AHB1, 5},
    {0x40021800, emu_gpio_read, emu_gpio_write, 6, AHB1, 6},
    {0x40021C00, emu_gpio_read, emu_gpio_write, 7, AHB1, 7},
    {0x40022000, emu_gpio_read, emu_gpio_write, 8, AHB1, 8},
    {0x40023000, emu_crc_read, emu_crc_write, 0, AHB1, 12},
    {0x40023800, emu_rcc_read, emu_rcc_write, 0, ALWAYS, 0},
    {0x40023C00, emu_flash_read, emu_flash_write, 0, ALWAYS, 0},
    {0x40024000, emu_backup_sram_read, emu_backup_sram_write, 0, AHB1, 18},
    {0x40024400, emu_backup_sram_read, emu_backup_sram_write, 1, AHB1, 18},
    {0x40024800, emu_backup_sram_read, emu_backup_sram_write, 2, AHB1, 18},
    {0x40024C00, emu_backup_sram_read, emu_backup_sram_write, 3, AHB1, 18},
    {0x50060800, emu_rng_read, emu_rng_write, 0, AHB2, 6},
};

static const struct slot *find(const struct emu *e, uint32_t addr)
{
    for (size_t i = 0; i < sizeof slots / sizeof slots[0]; i++) {
        const struct slot *s = &slots[i];
        if (s->base == (addr & ~0x3FFu))
            return s->bus == ALWAYS || (e->s.rcc.enr[s->bus] >> s->bit & 1) ? s : NULL;
    }
    return NULL;
}

static uint32_t size_mask(unsigned size) { return size >= 4 ? UINT32_MAX : (1u << (8 * size)) - 1; }

static uint64_t peripheral_read(struct emu *e, uint32_t addr, unsigned size)
{
    const struct slot *s = find(e, addr);
    if (s == NULL || emu_halted(e))
        return 0;
    return s->read(e, s->index, addr & 0x3FC) >> (8 * (addr & 3)) & size_mask(size);
}

static void peripheral_write(struct emu *e, uint32_t addr, unsigned size, uint64_t value)
{
    const struct slot *s = find(e, addr);
    uint32_t shift = 8 * (addr & 3);
    if (s != NULL && !emu_halted(e))
        s->write(e, s->index, addr & 0x3FC, (uint32_t)value << shift, size_mask(size) << shift);
}

static uint64_t apb_read(uc_engine *uc, uint64_t off, unsigned size, void *user)
{
    (void)uc;
    return peripheral_read(user, 0x40000000 + (uint32_t)off, size);
}

static void apb_write(uc_engine *uc, uint64_t off, unsigned size, uint64_t value, void *user)
{
    (void)uc;
    peripheral_write(user, 0x40000000 + (uint32_t)off, size, value);
}

static uint64_t ahb2_read(uc_engine *uc, uint64_t off, unsigned size, void *user)
{
    (void)uc;
    return peripheral_read(user, 0x50000000 + (uint32_t)off, size);
}

static void ahb2_write(uc_engine *uc, uint64_t off, unsigned size, uint64_t value, void *user)
{
    (void)uc;
    peripheral_write(user, 0x50000000 + (uint32_t)off, size, value);
}

static uint64_t ppb_read(uc_engine *uc, uint64_t off, unsigned size, void *user)
{
    (void)uc;
    return emu_ppb_read(user, 0, (uint32_t)off & ~3u) >> (8 * (off & 3)) & size_mask(size);
}

static void ppb_write(uc_engine *uc, uint64_t off, unsigned size, uint64_t value, void *user)
{
    uint32_t shift = 8 * ((uint32_t)off & 3);
    (void)uc;
    if (!emu_halted(user))
        emu_ppb_write(user, 0, (uint32_t)off & ~3u, (uint32_t)value << shift, size_mask(size) << shift);
}

/* Bit-band: each word of the alias is one bit; a write is a read, a change and a write of its word. */
static uint64_t peripheral_bit_read(uc_engine *uc, uint64_t off, unsigned size, void *user)
{
    (void)uc;
    (void)size;
    return peripheral_read(user, 0x40000000 + ((uint32_t)off >> 7 << 2), 4) >> (off >> 2 & 31) & 1;
}

static void peripheral_bit_write(uc_engine *uc, uint64_t off, unsigned size, uint64_t value, void *user)
{
    uint32_t addr = 0x40000000 + ((uint32_t)off >> 7 << 2), bit = 1u << (off >> 2 & 31);
    uint64_t word = peripheral_read(user, addr, 4);
    (void)uc;
    (void)size;
    peripheral_write(user, addr, 4, value & 1 ? word | bit : word & ~(uint64_t)bit);
}

static uint64_t ram_bit_read(uc_engine *uc, uint64_t off, unsigned size, void *user)
{
    struct emu *e = user;
    (void)uc;
    (void)size;
    return off / 32 < RAM_SIZE ? e->ram[off / 32] >> (off >> 2 & 7) & 1 : 0;
}

static void ram_bit_write(uc_engine *uc, uint64_t off, unsigned size, uint64_t value, void *user)
{
    struct emu *e = user;
    uint8_t bit = (uint8_t)(1u << (off >> 2 & 7));
    (void)uc;
    (void)size;
    if (off / 32 < RAM_SIZE)
        e->ram[off / 32] = (uint8_t)(value & 1 ? e->ram[off / 32] | bit : e->ram[off / 32] & ~bit);
}

bool emu_bus_map(struct emu *e)
{
    return !uc_mmio_map(e->uc, 0x40000000, 0x80000, apb_read, e, apb_write, e)
        && !uc_mmio_map(e->uc, 0x50000000, 0x61000, ahb2_read, e, ahb2_write, e)
        && !uc_mmio_map(e->uc, 0xE0000000, 0x100000, ppb_read, e, ppb_write, e)
        && !uc_mmio_map(e->uc, 0x42000000, 0x1000000, peripheral_bit_read, e, peripheral_bit_write, e)
        && !uc_mmio_map(e->uc, 0x22000000, RAM_SIZE * 32, ram_bit_read, e, ram_bit_write, e);
}
