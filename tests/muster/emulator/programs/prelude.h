/* SPDX-License-Identifier: Apache-2.0 */
/* What every test program begins with: registers by address, and a mailbox of words that the test reads. */
#ifndef PRELUDE_H
#define PRELUDE_H
#include <stdint.h>

#define REG(addr) (*(volatile uint32_t *)(addr))
#define REG8(addr) (*(volatile uint8_t *)(addr))
#define REG16(addr) (*(volatile uint16_t *)(addr))

/* The first KiB of RAM is the mailbox. Startup clears it after a power-on alone, so that programs can count
 * their resets in it. */
#define OUT ((volatile uint32_t *)0x20000000)
enum { DONE_AT = 255, DONE = 0x600DD00D };

#define RCC 0x40023800u
#define RCC_CR REG(RCC + 0x00)
#define RCC_PLLCFGR REG(RCC + 0x04)
#define RCC_CFGR REG(RCC + 0x08)
#define RCC_AHB1ENR REG(RCC + 0x30)
#define RCC_AHB2ENR REG(RCC + 0x34)
#define RCC_APB1ENR REG(RCC + 0x40)
#define RCC_APB2ENR REG(RCC + 0x44)
#define RCC_BDCR REG(RCC + 0x70)
#define RCC_CSR REG(RCC + 0x74)
#define FLASH_ACR REG(0x40023C00)
#define FLASH_KEYR REG(0x40023C04)
#define FLASH_OPTKEYR REG(0x40023C08)
#define FLASH_SR REG(0x40023C0C)
#define FLASH_CR REG(0x40023C10)
#define FLASH_OPTCR REG(0x40023C14)
#define PWR_CR REG(0x40007000)
#define PWR_CSR REG(0x40007004)
#define IWDG_KR REG(0x40003000)
#define IWDG_PR REG(0x40003004)
#define IWDG_RLR REG(0x40003008)
#define IWDG_SR REG(0x4000300C)
#define USART1 0x40011000u
#define UART_SR REG(USART1 + 0x00)
#define UART_DR REG(USART1 + 0x04)
#define UART_BRR REG(USART1 + 0x08)
#define UART_CR1 REG(USART1 + 0x0C)
#define SYST_CSR REG(0xE000E010)
#define SYST_RVR REG(0xE000E014)
#define SYST_CVR REG(0xE000E018)
#define NVIC_ISER(n) REG(0xE000E100 + 4 * (n))
#define NVIC_ISPR(n) REG(0xE000E200 + 4 * (n))
#define NVIC_ICPR(n) REG(0xE000E280 + 4 * (n))
#define NVIC_IPR8(irq) REG8(0xE000E400 + (irq))
#define SCB_ICSR REG(0xE000ED04)
#define SCB_VTOR REG(0xE000ED08)
#define SCB_AIRCR REG(0xE000ED0C)
#define SCB_CCR REG(0xE000ED14)
#define SCB_SHPR8(exc) REG8(0xE000ED14 + (exc))
#define SCB_SHCSR REG(0xE000ED24)
#define SCB_CFSR REG(0xE000ED28)
#define SCB_HFSR REG(0xE000ED2C)
#define SCB_BFAR REG(0xE000ED38)

#define WFI() __asm volatile("wfi")
#define BARRIER() __asm volatile("dsb\n isb" ::: "memory")

static inline void done(void)
{
    OUT[DONE_AT] = DONE;
    for (;;)
        __asm volatile("");
}

static inline void system_reset(void)
{
    SCB_AIRCR = 0x05FA0004;
    for (;;)
        __asm volatile("");
}

static inline void flash_unlock(void)
{
    FLASH_KEYR = 0x45670123;
    FLASH_KEYR = 0xCDEF89AB;
}

static inline void flash_erase(uint32_t sector)
{
    FLASH_CR = 0x202 | sector << 3;
    FLASH_CR |= 1u << 16;
    while (FLASH_SR & (1u << 16))
        ;
    FLASH_CR = 0x200;
}

static inline void flash_program(uint32_t addr, uint32_t word)
{
    FLASH_CR = 0x201;
    REG(addr) = word;
    while (FLASH_SR & (1u << 16))
        ;
    FLASH_CR = 0x200;
}

/* USART1 on PA9 and PA10, 16 MHz HSI, 115200 baud. */
static inline void uart_init(void)
{
    RCC_AHB1ENR |= 1;
    RCC_APB2ENR |= 1u << 4;
    REG(0x40020000) = (REG(0x40020000) & ~(0xFu << 18)) | 0xAu << 18;
    REG(0x40020024) |= 0x770;
    UART_BRR = 139;
    UART_CR1 = 0x200C;
}

static inline void uart_put(uint32_t byte)
{
    while (!(UART_SR & 0x80))
        ;
    UART_DR = byte;
}

static inline void uart_puts(const char *text)
{
    while (*text)
        uart_put((uint8_t)*text++);
}
#endif
