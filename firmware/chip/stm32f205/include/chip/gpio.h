/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CHIP_GPIO_H
#define CHIP_GPIO_H

#include <stdbool.h>
#include <stdint.h>

/* A pin. port: 0 is A, 8 is I; pin: 0 to 15. */
struct chip_pin {
    uint8_t port;
    uint8_t pin;
};

/* Push-pull output; it starts at `level`, without a spike of the other level. */
void chip_gpio_output(struct chip_pin pin, bool level);

/* Open-drain output: `level` true lets go of the line. */
void chip_gpio_open_drain(struct chip_pin pin, bool level);

void chip_gpio_set(struct chip_pin pin, bool level);

/* Hands the pin to alternate function 0 to 15 (datasheet table 10), with pull-up: an open UART input reads idle. */
void chip_gpio_alternate(struct chip_pin pin, uint8_t function);

#endif
