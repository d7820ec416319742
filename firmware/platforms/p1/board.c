/* SPDX-License-Identifier: Apache-2.0 */
#include "board.h"

#include "chip/gpio.h"

/* The serial flash on SPI2 must not take noise for a command. */
static const struct chip_pin serial_flash_select = {.port = 1, .pin = 12}; /* PB12, low active */

void board_start(void) { chip_gpio_output(serial_flash_select, true); }
