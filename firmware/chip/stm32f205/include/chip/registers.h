/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CHIP_REGISTERS_H
#define CHIP_REGISTERS_H

#include <stdint.h>

/* The few registers that Muster uses, from ST's RM0033 (reference manual), PM0059 (flash programming) and the ARMv7-M
 * architecture manual (DDI 0403). Names are the manuals' own. */

#define CHIP_REG(addr) (*(volatile uint32_t *)(uintptr_t)(addr))

/* RCC, RM0033 section 5.3 */
#define RCC_CR      CHIP_REG(0x40023800)
#define RCC_PLLCFGR CHIP_REG(0x40023804)
#define RCC_CFGR    CHIP_REG(0x40023808)
#define RCC_CIR     CHIP_REG(0x4002380C)
#define RCC_AHB1ENR CHIP_REG(0x40023830)
#define RCC_AHB2ENR CHIP_REG(0x40023834)
#define RCC_APB1ENR CHIP_REG(0x40023840)
#define RCC_APB2ENR CHIP_REG(0x40023844)
#define RCC_CSR     CHIP_REG(0x40023874)

#define RCC_CR_HSION        (1u << 0)
#define RCC_CR_HSIRDY       (1u << 1)
#define RCC_CR_HSEON        (1u << 16)
#define RCC_CR_HSERDY       (1u << 17)
#define RCC_CR_PLLON        (1u << 24)
#define RCC_CR_PLLRDY       (1u << 25)
#define RCC_PLLCFGR_SRC_HSE (1u << 22)
#define RCC_CFGR_SW_MASK    3u
#define RCC_CFGR_SW_HSI     0u
#define RCC_CFGR_SW_PLL     2u
#define RCC_CFGR_SWS_MASK   (3u << 2)
#define RCC_CFGR_SWS_PLL    (2u << 2)
#define RCC_CFGR_PPRE1_DIV4 (5u << 10)
#define RCC_CFGR_PPRE2_DIV2 (4u << 13)
#define RCC_AHB2ENR_RNG     (1u << 6)
#define RCC_APB1ENR_PWR     (1u << 28)
#define RCC_CSR_RMVF        (1u << 24)
#define RCC_CSR_SFTRSTF     (1u << 28)
#define RCC_CSR_IWDGRSTF    (1u << 29)
#define RCC_CSR_WWDGRSTF    (1u << 30)

/* PWR and RTC backup registers, RM0033 sections 4.4 and 22.6 */
#define PWR_CR     CHIP_REG(0x40007000)
#define PWR_CR_DBP (1u << 8)
#define RTC_BKP(n) CHIP_REG(0x40002850u + 4u * (n))

/* FLASH interface, PM0059 section 2.8 */
#define FLASH_ACR              CHIP_REG(0x40023C00)
#define FLASH_KEYR             CHIP_REG(0x40023C04)
#define FLASH_SR               CHIP_REG(0x40023C0C)
#define FLASH_CR               CHIP_REG(0x40023C10)
#define FLASH_ACR_LATENCY(n)   (n)
#define FLASH_ACR_LATENCY_MASK 7u
#define FLASH_ACR_PRFTEN       (1u << 8)
#define FLASH_ACR_ICEN         (1u << 9)
#define FLASH_ACR_DCEN         (1u << 10)
#define FLASH_ACR_ICRST        (1u << 11)
#define FLASH_ACR_DCRST        (1u << 12)
#define FLASH_KEY1             0x45670123u
#define FLASH_KEY2             0xCDEF89ABu
#define FLASH_SR_EOP           (1u << 0)
#define FLASH_SR_ERRORS        0xF2u /* OPERR, WRPERR, PGAERR, PGPERR, PGSERR */
#define FLASH_SR_BSY           (1u << 16)
#define FLASH_CR_PG            (1u << 0)
#define FLASH_CR_SER           (1u << 1)
#define FLASH_CR_SNB(n)        ((n) << 3)
#define FLASH_CR_PSIZE_32      (2u << 8)
#define FLASH_CR_STRT          (1u << 16)
#define FLASH_CR_LOCK          (1u << 31)

/* GPIO, RM0033 section 6.4; port 0 is A */
#define GPIO_MODER(port)     CHIP_REG(0x40020000u + 0x400u * (port))
#define GPIO_OTYPER(port)    CHIP_REG(0x40020004u + 0x400u * (port))
#define GPIO_PUPDR(port)     CHIP_REG(0x4002000Cu + 0x400u * (port))
#define GPIO_BSRR(port)      CHIP_REG(0x40020018u + 0x400u * (port))
#define GPIO_AFR(port, half) CHIP_REG(0x40020020u + 0x400u * (port) + 4u * (half))

/* USART, RM0033 section 24.6; offsets from the base */
#define USART_SR(base)   CHIP_REG((base) + 0x00u)
#define USART_DR(base)   CHIP_REG((base) + 0x04u)
#define USART_BRR(base)  CHIP_REG((base) + 0x08u)
#define USART_CR1(base)  CHIP_REG((base) + 0x0Cu)
#define USART_CR2(base)  CHIP_REG((base) + 0x10u)
#define USART_CR3(base)  CHIP_REG((base) + 0x14u)
#define USART_SR_FE      (1u << 1)
#define USART_SR_NE      (1u << 2)
#define USART_SR_ORE     (1u << 3)
#define USART_SR_RXNE    (1u << 5)
#define USART_SR_TC      (1u << 6)
#define USART_SR_TXE     (1u << 7)
#define USART_CR1_RE     (1u << 2)
#define USART_CR1_TE     (1u << 3)
#define USART_CR1_RXNEIE (1u << 5)
#define USART_CR1_TXEIE  (1u << 7)
#define USART_CR1_UE     (1u << 13)

/* IWDG, RM0033 section 18.4 */
#define IWDG_KR        CHIP_REG(0x40003000)
#define IWDG_PR        CHIP_REG(0x40003004)
#define IWDG_RLR       CHIP_REG(0x40003008)
#define IWDG_SR        CHIP_REG(0x4000300C)
#define IWDG_KEY_FEED  0xAAAAu
#define IWDG_KEY_WRITE 0x5555u
#define IWDG_KEY_START 0xCCCCu

/* RNG, RM0033 section 20.4 */
#define RNG_CR       CHIP_REG(0x50060800)
#define RNG_SR       CHIP_REG(0x50060804)
#define RNG_DR       CHIP_REG(0x50060808)
#define RNG_CR_RNGEN (1u << 2)
#define RNG_SR_DRDY  (1u << 0)
#define RNG_SR_CECS  (1u << 1)
#define RNG_SR_SECS  (1u << 2)

/* Unique device id, RM0033 section 33.1 */
#define UNIQUE_ID_ADDR 0x1FFF7A10u

/* ARMv7-M system control space */
#define SYST_CSR           CHIP_REG(0xE000E010)
#define SYST_RVR           CHIP_REG(0xE000E014)
#define SYST_CVR           CHIP_REG(0xE000E018)
#define NVIC_ISER(n)       CHIP_REG(0xE000E100u + 4u * (n))
#define NVIC_ICER(n)       CHIP_REG(0xE000E180u + 4u * (n))
#define NVIC_ICPR(n)       CHIP_REG(0xE000E280u + 4u * (n))
#define SCB_ICSR           CHIP_REG(0xE000ED04)
#define SCB_VTOR           CHIP_REG(0xE000ED08)
#define SCB_AIRCR          CHIP_REG(0xE000ED0C)
#define SCB_CFSR           CHIP_REG(0xE000ED28)
#define SCB_BFAR           CHIP_REG(0xE000ED38)
#define SCB_ICSR_PENDSTCLR (1u << 25)
#define SCB_ICSR_PENDSVCLR (1u << 27)
#define SCB_AIRCR_RESET    0x05FA0004u /* VECTKEY and SYSRESETREQ */

#endif
