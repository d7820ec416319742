/* SPDX-License-Identifier: Apache-2.0 */
/* GPIO ports A to I (RM0033 section 6). */
#include "emu.h"

void emu_gpio_reset(struct emu *e, int index)
{
    struct gpio *g = &e->s.gpio[index];
    *g = (struct gpio){0};
    if (index == 0) { /* the debug pins PA13-15, PB3-4 */
        g->moder = 0xA8000000;
        g->pupdr = 0x64000000;
    } else if (index == 1) {
        g->moder = 0x280;
        g->ospeedr = 0xC0;
        g->pupdr = 0x100;
    }
    emu_gpio_refresh(e, index);
}

static uint32_t mode_of(const struct gpio *g, int pin) { return g->moder >> (2 * pin) & 3; }

bool emu_gpio_is_af(const struct emu *e, int port, int pin, uint32_t af)
{
    const struct gpio *g = &e->s.gpio[port];
    return mode_of(g, pin) == 2 && (g->afr[pin / 8] >> (4 * (pin % 8)) & 0xF) == af;
}

/* The level on the pad: what drives it hardest wins. An output drives it unless it is open-drain and 1. */
int emu_pin_level(struct emu *e, int port, int pin)
{
    const struct gpio *g = &e->s.gpio[port];
    uint32_t out = g->odr >> pin & 1;
    bool powered = e->s.powered;
    if (powered && mode_of(g, pin) == 1 && !((g->otyper >> pin & 1) && out))
        return (int)out;
    if (e->s.pin_driven[port] >> pin & 1)
        return e->s.pin_external[port] >> pin & 1;
    return powered && (g->pupdr >> (2 * pin) & 3) == 1;
}

static uint32_t idr(struct emu *e, int port)
{
    uint32_t value = 0;
    for (int pin = 0; pin < PINS; pin++)
        if (mode_of(&e->s.gpio[port], pin) != 3) /* analog pins read 0 */
            value |= (uint32_t)emu_pin_level(e, port, pin) << pin;
    return value;
}

/* Tell observers and EXTI of levels that changed. */
void emu_gpio_refresh(struct emu *e, int port)
{
    uint16_t levels = 0, changed;
    for (int pin = 0; pin < PINS; pin++)
        levels |= (uint16_t)(emu_pin_level(e, port, pin) << pin);
    changed = levels ^ e->pin_last[port];
    e->pin_last[port] = levels;
    for (int pin = 0; changed >> pin; pin++) {
        if (!(changed >> pin & 1))
            continue;
        if (e->s.powered)
            emu_exti_edge(e, port, pin, levels >> pin & 1);
        if ((e->pin_watched[port] >> pin & 1) && e->pin_callback)
            e->pin_callback(e->pin_ctx, port, pin, levels >> pin & 1, e->s.now_ps);
    }
}

uint32_t emu_gpio_read(struct emu *e, int index, uint32_t off)
{
    const struct gpio *g = &e->s.gpio[index];
    switch (off) {
    case 0x00: return g->moder;
    case 0x04: return g->otyper;
    case 0x08: return g->ospeedr;
    case 0x0C: return g->pupdr;
    case 0x10: return idr(e, index);
    case 0x14: return g->odr;
    case 0x1C: return g->lckr;
    case 0x20: return g->afr[0];
    case 0x24: return g->afr[1];
    default: return 0;
    }
}

void emu_gpio_write(struct emu *e, int index, uint32_t off, uint32_t value, uint32_t mask)
{
    struct gpio *g = &e->s.gpio[index];
    switch (off) {
    case 0x00: emu_set(&g->moder, value, mask); break;
    case 0x04: emu_set(&g->otyper, value & 0xFFFF, mask); break;
    case 0x08: emu_set(&g->ospeedr, value, mask); break;
    case 0x0C: emu_set(&g->pupdr, value, mask); break;
    case 0x14: emu_set(&g->odr, value & 0xFFFF, mask); break;
    case 0x18: /* where both are set, set wins */
        value &= mask;
        g->odr = (g->odr & ~(value >> 16)) | (value & 0xFFFF);
        break;
    case 0x1C: emu_set(&g->lckr, value & 0x1FFFF, mask); break;
    case 0x20: emu_set(&g->afr[0], value, mask); break;
    case 0x24: emu_set(&g->afr[1], value, mask); break;
    default: return;
    }
    emu_gpio_refresh(e, index);
}

/* level: 0 or 1 drives the pin from outside, anything else lets go. */
void emu_pin_drive(struct emu *e, int port, int pin, int level)
{
    uint16_t bit = (uint16_t)(1u << pin);
    e->s.pin_driven[port] = (uint16_t)(level == 0 || level == 1 ? e->s.pin_driven[port] | bit : e->s.pin_driven[port] & ~bit);
    e->s.pin_external[port] = (uint16_t)(level == 1 ? e->s.pin_external[port] | bit : e->s.pin_external[port] & ~bit);
    emu_gpio_refresh(e, port);
}

void emu_pin_watch(struct emu *e, int port, int pin, int on)
{
    uint16_t bit = (uint16_t)(1u << pin);
    e->pin_watched[port] = (uint16_t)(on ? e->pin_watched[port] | bit : e->pin_watched[port] & ~bit);
}

void emu_set_pin_callback(struct emu *e, void (*fn)(void *ctx, int port, int pin, int level, uint64_t time_ps), void *ctx)
{
    e->pin_callback = fn;
    e->pin_ctx = ctx;
}
