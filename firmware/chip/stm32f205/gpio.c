/* SPDX-License-Identifier: Apache-2.0 */
#include "chip/gpio.h"

#include "chip/registers.h"

enum { MODE_OUTPUT = 1, MODE_ALTERNATE = 2, PULL_NONE = 0, PULL_UP = 1 };

static void clock_on(uint32_t port) {
    RCC_AHB1ENR |= 1u << port;
    (void)RCC_AHB1ENR; /* the clock is there two cycles later */
}

static void set_field(volatile uint32_t *reg, uint32_t shift, uint32_t width, uint32_t value) {
    uint32_t mask = ((1u << width) - 1u) << shift;
    *reg = (*reg & ~mask) | (value << shift);
}

static void output(struct chip_pin pin, bool level, uint32_t open_drain) {
    clock_on(pin.port);
    chip_gpio_set(pin, level);
    set_field(&GPIO_OTYPER(pin.port), pin.pin, 1, open_drain);
    set_field(&GPIO_PUPDR(pin.port), 2u * pin.pin, 2, PULL_NONE);
    set_field(&GPIO_MODER(pin.port), 2u * pin.pin, 2, MODE_OUTPUT);
}

void chip_gpio_output(struct chip_pin pin, bool level) { output(pin, level, 0); }

void chip_gpio_open_drain(struct chip_pin pin, bool level) { output(pin, level, 1); }

void chip_gpio_set(struct chip_pin pin, bool level) { GPIO_BSRR(pin.port) = 1u << (pin.pin + (level ? 0u : 16u)); }

void chip_gpio_alternate(struct chip_pin pin, uint8_t function) {
    clock_on(pin.port);
    set_field(&GPIO_AFR(pin.port, pin.pin / 8u), 4u * (pin.pin % 8u), 4, function);
    set_field(&GPIO_OTYPER(pin.port), pin.pin, 1, 0);
    set_field(&GPIO_PUPDR(pin.port), 2u * pin.pin, 2, PULL_UP);
    set_field(&GPIO_MODER(pin.port), 2u * pin.pin, 2, MODE_ALTERNATE);
}
