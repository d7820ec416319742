/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CHIP_UART_H
#define CHIP_UART_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "chip/gpio.h"

/* One UART, 8N1. Bytes received wait in a ring filled by interrupt, bytes to send in a ring emptied by interrupt. */
struct chip_uart_config {
    uint8_t number;   /* 1, 2, 3 or 6 (USART) */
    uint8_t function; /* alternate function of both pins */
    struct chip_pin tx;
    struct chip_pin rx;
    uint32_t baud;
};

/* Needs running clocks. Starts with both rings empty. */
void chip_uart_start(const struct chip_uart_config *config);

/* Takes up to `room` received bytes; returns how many. */
size_t chip_uart_read(uint8_t *out, size_t room);

/* Puts bytes into the ring; sleeps while it is full. Not from an interrupt. */
void chip_uart_write(const uint8_t *bytes, size_t len);

/* Returns when the last bit has left. */
void chip_uart_flush(void);

/* Stops the UART and its interrupt; its pins stay idle. */
void chip_uart_stop(void);

/* Received bytes lost since the start: overruns (the CPU stalled), noise, framing errors, a full ring. */
uint32_t chip_uart_errors(void);

/* For the vector table. */
void chip_uart_interrupt(void);

#endif
