/* SPDX-License-Identifier: Apache-2.0 */
#include "chip/uart.h"

#include "chip/clock.h"
#include "chip/cpu.h"
#include "chip/registers.h"

enum {
    RX_SIZE = 2048, /* more than one whole frame; a power of two */
    TX_SIZE = 512,
};

struct uart_instance {
    uint8_t number;
    uint8_t irq;
    bool on_apb2;
    uint8_t enable_bit;
    uint32_t base;
};

/* RM0033 tables 1 and 45, sections 5.3.13 and 5.3.14. */
static const struct uart_instance instances[] = {
    {1, 37, true, 4, 0x40011000},
    {2, 38, false, 17, 0x40004400},
    {3, 39, false, 18, 0x40004800},
    {6, 71, true, 5, 0x40011400},
};

static const struct uart_instance *uart;
/* Heads are moved by one side only and read by the other; indexes run free and are reduced on use. */
static uint8_t rx_ring[RX_SIZE];
static uint8_t tx_ring[TX_SIZE];
static volatile uint32_t rx_head, rx_tail, tx_head, tx_tail, lost;

void chip_uart_start(const struct chip_uart_config *config) {
    uart = NULL;
    for (size_t i = 0; i < sizeof instances / sizeof instances[0]; i++) {
        if (instances[i].number == config->number) uart = &instances[i];
    }
    if (uart == NULL) return;
    rx_head = rx_tail = tx_head = tx_tail = lost = 0;

    if (uart->on_apb2) {
        RCC_APB2ENR |= 1u << uart->enable_bit;
        (void)RCC_APB2ENR;
    } else {
        RCC_APB1ENR |= 1u << uart->enable_bit;
        (void)RCC_APB1ENR;
    }
    uint32_t clock_hz = uart->on_apb2 ? chip_clock_apb2_hz() : chip_clock_apb1_hz();
    USART_CR1(uart->base) = 0;
    USART_CR2(uart->base) = 0;
    USART_CR3(uart->base) = 0;
    USART_BRR(uart->base) = (clock_hz + config->baud / 2u) / config->baud;
    USART_CR1(uart->base) = USART_CR1_UE | USART_CR1_TE | USART_CR1_RE | USART_CR1_RXNEIE;
    chip_gpio_alternate(config->tx, config->function);
    chip_gpio_alternate(config->rx, config->function);
    chip_irq_enable(uart->irq);
}

static void receive(uint32_t status) {
    uint8_t byte = (uint8_t)USART_DR(uart->base); /* also clears the error flags */
    if ((status & (USART_SR_ORE | USART_SR_FE | USART_SR_NE)) != 0) lost++;
    if ((status & USART_SR_RXNE) == 0) return;
    if (rx_head - rx_tail == RX_SIZE) {
        lost++;
        return;
    }
    rx_ring[rx_head % RX_SIZE] = byte;
    rx_head++;
}

/* Hands the next bytes over. Interrupts are off, or this is the interrupt. */
static void transmit(void) {
    while (tx_head != tx_tail && (USART_SR(uart->base) & USART_SR_TXE) != 0) {
        USART_DR(uart->base) = tx_ring[tx_tail % TX_SIZE];
        tx_tail++;
    }
    if (tx_head != tx_tail) {
        USART_CR1(uart->base) |= USART_CR1_TXEIE;
    } else {
        USART_CR1(uart->base) &= ~USART_CR1_TXEIE;
    }
}

void chip_uart_interrupt(void) {
    uint32_t status = USART_SR(uart->base);
    if ((status & (USART_SR_RXNE | USART_SR_ORE)) != 0) receive(status);
    if ((USART_CR1(uart->base) & USART_CR1_TXEIE) != 0) transmit();
}

size_t chip_uart_read(uint8_t *out, size_t room) {
    size_t count = 0;
    while (count < room && rx_tail != rx_head) {
        out[count++] = rx_ring[rx_tail % RX_SIZE];
        rx_tail++;
    }
    return count;
}

/* The interrupt carries on from here. Where it does not come (some emulators have none for sending) the next call does.
 */
static void pump(void) {
    uint32_t saved = chip_irq_save();
    transmit();
    chip_irq_restore(saved);
}

void chip_uart_write(const uint8_t *bytes, size_t len) {
    if (uart == NULL) return;
    for (size_t i = 0; i < len; i++) {
        while (tx_head - tx_tail == TX_SIZE) {
            pump();
            if (tx_head - tx_tail == TX_SIZE) chip_idle();
        }
        tx_ring[tx_head % TX_SIZE] = bytes[i];
        tx_head++;
    }
    pump();
}

void chip_uart_flush(void) {
    if (uart == NULL) return;
    while (tx_head != tx_tail) {
        pump();
        if (tx_head != tx_tail) chip_idle();
    }
    while ((USART_SR(uart->base) & USART_SR_TC) == 0) {
    }
}

void chip_uart_stop(void) {
    if (uart == NULL) return;
    chip_uart_flush();
    USART_CR1(uart->base) = 0;
    NVIC_ICER(uart->irq / 32u) = 1u << (uart->irq % 32u);
}

uint32_t chip_uart_errors(void) { return lost; }
