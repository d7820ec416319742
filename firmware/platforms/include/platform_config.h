/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PLATFORM_CONFIG_H
#define PLATFORM_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include "chip/gpio.h"
#include "chip/uart.h"

/* What platform.toml says about a board. The build writes the one instance: templates/platform_config.c.jinja. */
struct platform_config {
    uint16_t platform_id;
    uint16_t bootloader_version; /* of the bootloader in this tree */
    uint32_t hse_hz;
    struct chip_uart_config console;
    struct chip_pin led;
    bool led_active_low;
    struct chip_pin rgb_red;
    struct chip_pin rgb_green;
    struct chip_pin rgb_blue;
    bool rgb_active_low;
    struct chip_pin button; /* pressed reads low; needs a pull-up */
};

extern const struct platform_config platform_config;

#endif
