/* SPDX-License-Identifier: Apache-2.0 */
#include "board.h"

#include "chip/gpio.h"

/* The u-blox modem: no power-on pulse, not in reset, its level shifter off, so that it draws the least and cannot feed
 * current back through the UART. */
static const struct chip_pin modem_power = {.port = 1, .pin = 2};        /* PB2, low active pulse */
static const struct chip_pin modem_reset = {.port = 2, .pin = 4};        /* PC4, low active */
static const struct chip_pin level_shifter_off = {.port = 1, .pin = 15}; /* PB15, low active enable */

void board_start(void) {
    chip_gpio_open_drain(modem_power, true);
    chip_gpio_open_drain(modem_reset, true);
    chip_gpio_output(level_shifter_off, true);
}
