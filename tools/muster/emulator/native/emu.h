/* SPDX-License-Identifier: Apache-2.0 */
/* The model of one STM32F205RG. Facts come from ST's RM0033 (reference manual), PM0059 (flash
 * programming) and the STM32F205 datasheet, and from the ARMv7-M architecture manual. */
#ifndef MUSTER_EMU_H
#define MUSTER_EMU_H
#include <stdbool.h>
#include <string.h>
#include <unicorn/unicorn.h>
#include "api.h"

#define EMU_NEVER UINT64_MAX
#define PS_PER_US UINT64_C(1000000)
#define PS_PER_MS UINT64_C(1000000000)
#define PS_PER_S UINT64_C(1000000000000)

enum {
    FLASH_BASE = 0x08000000, FLASH_SIZE = 0x100000,
    RAM_BASE = 0x20000000, RAM_SIZE = 0x20000,
    SYSTEM_BASE = 0x1FFF7000, OPTION_BASE = 0x1FFFC000, PAGE = 0x1000,
    OTP_OFFSET = 0x800, OTP_LOCK_OFFSET = 0xA00, ID_OFFSET = 0xA10, SIZE_OFFSET = 0xA22, /* in the system page */
    STORE_SIZE = FLASH_SIZE + 2 * PAGE,
    SECTORS = 12,
    UARTS = 6, PORTS = 9, PINS = 16,
    IRQS = 81, EXCEPTIONS = 16 + IRQS,
    FAULT_LOG = 8, VIOLATION_LOG = 32,
};

enum {
    IRQ_FLASH = 4, IRQ_EXTI0 = 6, IRQ_EXTI9_5 = 23, IRQ_EXTI15_10 = 40, IRQ_WWDG = 0, IRQ_RNG = 80,
};

enum exception {
    EXC_NMI = 2, EXC_HARD = 3, EXC_MEM = 4, EXC_BUS = 5, EXC_USAGE = 6, EXC_SVC = 11, EXC_PENDSV = 14, EXC_SYSTICK = 15,
};

/* Things that happen at a known time. */
enum event {
    EV_SYSTICK, EV_IWDG, EV_IWDG_UPDATE, EV_WWDG, EV_RCC, EV_CUT, EV_RNG,
    EV_RX0, EV_TX0 = EV_RX0 + UARTS, EV_IDLE0 = EV_TX0 + UARTS, EV_COUNT = EV_IDLE0 + UARTS,
};

struct rcc {
    uint32_t cr, pllcfgr, cfgr, cir, rstr[5], enr[5], lpenr[5], bdcr, csr, sscgr, plli2scfgr;
    uint64_t hsi_at, hse_at, pll_at, plli2s_at, lsi_at, lse_at; /* when each gets ready */
    uint32_t hclk_hz, pclk1_hz, pclk2_hz;
};

struct flash {
    uint32_t acr, sr, cr, optcr, active_optcr;
    uint8_t key_step, optkey_step;
    bool key_dead, optkey_dead; /* a wrong key: locked until the next reset */
};

struct uart {
    uint32_t sr, brr, cr1, cr2, cr3, gtpr;
    uint8_t rdr, tdr, shift;
    bool tdr_full, shifting;
    uint32_t sr_seen; /* the bits a read of SR showed: a read or write of DR clears some of these */
    uint32_t host_baud;
    uint64_t line_free_ps; /* when the byte on the host's line ends */
};

struct iwdg {
    uint32_t pr, rlr, new_pr, new_rlr, sr;
    bool unlocked, running;
};

struct wwdg { uint32_t cr, cfr, sr; uint64_t from_ps; };

struct gpio { uint32_t moder, otyper, ospeedr, pupdr, odr, lckr, afr[2]; };

struct exti { uint32_t imr, emr, rtsr, ftsr, pr; };

struct systick { uint32_t ctrl, load, stopped_val; };

struct nvic {
    uint32_t vtor, prigroup, scr, ccr, shcsr_enable, cfsr, hfsr, dfsr, mmfar, bfar, demcr, dwt_ctrl;
    uint64_t cyccnt_from_ps;
    uint32_t cyccnt_base;
    uint8_t priority[EXCEPTIONS];
    bool pending[EXCEPTIONS], active[EXCEPTIONS], enabled[EXCEPTIONS], level[EXCEPTIONS];
    bool event; /* the event register of WFE */
};

struct backup { uint32_t bkp[20], bdcr; uint8_t sram[4096]; };

struct pwr { uint32_t cr, csr; };

struct rng { uint32_t cr, sr, dr; };

struct cpu { uint32_t r[13], msp, psp, lr, pc, xpsr, control, primask, basepri, faultmask; };

/* Everything that a snapshot holds, without pointers. */
struct emu_state {
    bool powered, lockup, sleeping, wfe;
    uint32_t reset_pending; /* 1 + enum emu_cause, 0: none */
    uint64_t now_ps, cycle_ps;
    uint64_t when[EV_COUNT];
    uint64_t random;        /* of everything that silicon leaves to chance, never of timing */
    struct emu_counters counters;
    struct emu_fault faults[FAULT_LOG];
    struct emu_violation violations[VIOLATION_LOG];
    uint32_t violation_seen; /* kinds reported since the last reset, so that a loop reports once */
    struct rcc rcc;
    struct flash flash;
    struct uart uart[UARTS];
    struct iwdg iwdg;
    struct wwdg wwdg;
    struct gpio gpio[PORTS];
    uint16_t pin_driven[PORTS], pin_external[PORTS]; /* driven from outside, and to what */
    struct exti exti;
    uint32_t syscfg[9];
    struct systick systick;
    struct nvic nvic;
    struct backup backup;
    struct pwr pwr;
    struct rng rng;
    uint32_t crc, crc_idr, dbgmcu_cr;
    struct cpu cpu; /* filled by a snapshot only: the live registers are Unicorn's */
};

struct bytes { uint8_t *data; size_t start, end, room; };

/* What one block of code costs. Found by reading its instructions once. */
struct block_cost {
    uint32_t addr;
    uint16_t size, instructions, cycles;
    uint8_t flags;
};
enum { BLOCK_SELF_LOOP = 1, BLOCK_SEV = 2, BLOCK_DIV = 4 };
enum { COST_SLOTS = 1 << 15, DIV_HOOKS = 1024 };

enum exit_kind {
    EXIT_NONE, EXIT_BLOCK, EXIT_INTR, EXIT_MEMORY, EXIT_INVALID, EXIT_DIV,
};

struct emu {
    uc_engine *uc;
    uint8_t *store; /* flash, system page, option page: one mapped file or anonymous memory */
    int store_fd;
    uint8_t *ram;
    struct emu_config config;
    struct emu_state s;
    struct bytes rx[UARTS], tx[UARTS];
    /* The block hook compares the time with this alone. 0 makes it look closer. */
    uint64_t deadline_ps;
    uint64_t stop_at_ps;
    uint64_t until_ps;
    uint64_t event_ps; /* when the event being served was due */
    bool attention;   /* something changed that the run loop must look at */
    bool poll_masks;  /* a pending exception waits for PRIMASK or BASEPRI to open */
    bool stop_request, cut;
    uint64_t cut_operation; /* 0: none, else the count of operations at which the cut comes */
    int cut_mode;
    struct block_cost *costs;
    uint32_t last_block;
    bool code_page[FLASH_SIZE / PAGE]; /* pages that Unicorn may hold translated code of */
    uint32_t div_hooks[DIV_HOOKS];
    uint32_t div_hook_count;
    enum exit_kind exit_kind;
    uint32_t exit_intno;
    uint32_t fault_addr;
    int fault_type; /* uc_mem_type */
    void (*uart_callback)(void *ctx, int uart, uint8_t byte, uint64_t time_ps);
    void *uart_ctx;
    bool uart_watched[UARTS];
    void (*pin_callback)(void *ctx, int port, int pin, int level, uint64_t time_ps);
    void *pin_ctx;
    uint16_t pin_watched[PORTS], pin_last[PORTS];
    char error[256];
};

/* Set the bits of a register that this write reaches. */
static inline void emu_set(uint32_t *reg, uint32_t value, uint32_t mask) { *reg = (*reg & ~mask) | (value & mask); }

static inline uint32_t emu_load32(const uint8_t *p) { uint32_t v; memcpy(&v, p, 4); return v; }

/* device.c */
void emu_attention(struct emu *e);
bool emu_halted(const struct emu *e);
void emu_request_reset(struct emu *e, enum emu_cause cause);
uint32_t emu_random(struct emu *e);
uint8_t *emu_pointer(struct emu *e, uint32_t addr, uint32_t len);
void emu_violation(struct emu *e, enum emu_violation_kind kind, uint32_t a, uint32_t b);
void emu_failed(struct emu *e, const char *what, uc_err err);

/* clock.c: virtual time and events */
uint64_t emu_clock_next(const struct emu *e);
void emu_clock_advance(struct emu *e, uint64_t to_ps);
void emu_clock_at(struct emu *e, enum event event, uint64_t when_ps);

/* block.c */
void emu_block_hook(uc_engine *uc, uint64_t addr, uint32_t size, void *user);
void emu_block_forget(struct emu *e, uint32_t addr, uint32_t len);

/* bus.c */
bool emu_bus_map(struct emu *e);

/* exception.c */
void emu_cpu_save(struct emu *e, struct cpu *cpu);
void emu_cpu_load(struct emu *e, const struct cpu *cpu);
uint32_t emu_reg(struct emu *e, int reg);
void emu_set_reg(struct emu *e, int reg, uint32_t value);
void emu_exception_fault(struct emu *e, enum exception exception, uint32_t cfsr_bits, uint32_t addr, bool addr_valid);
void emu_exception_poll(struct emu *e);
bool emu_exception_wakes(struct emu *e);
bool emu_exception_waiting(struct emu *e);
void emu_exception_exit(struct emu *e);
void emu_exception_sync(struct emu *e, enum exception exception);

/* nvic.c */
void emu_nvic_reset(struct emu *e);
void emu_irq_level(struct emu *e, int irq, bool level);
void emu_pend(struct emu *e, int exception);
uint32_t emu_ppb_read(struct emu *e, int index, uint32_t off);
void emu_ppb_write(struct emu *e, int index, uint32_t off, uint32_t value, uint32_t mask);

/* systick.c */
uint32_t emu_systick_read(struct emu *e, uint32_t off);
void emu_systick_write(struct emu *e, uint32_t off, uint32_t value, uint32_t mask);
void emu_systick_event(struct emu *e);
uint32_t emu_systick_value(const struct emu *e);
void emu_systick_rebase(struct emu *e, uint32_t value);

/* rcc.c */
void emu_rcc_reset(struct emu *e, enum emu_cause cause);
void emu_rcc_event(struct emu *e);
uint32_t emu_rcc_read(struct emu *e, int index, uint32_t off);
void emu_rcc_write(struct emu *e, int index, uint32_t off, uint32_t value, uint32_t mask);
bool emu_rcc_lsi_ready(const struct emu *e);
void emu_rcc_lsi_start(struct emu *e);
uint32_t emu_rcc_pll48_hz(const struct emu *e);
void emu_rcc_check_latency(struct emu *e);

/* flash.c */
void emu_flash_reset(struct emu *e);
uint32_t emu_flash_read(struct emu *e, int index, uint32_t off);
void emu_flash_write(struct emu *e, int index, uint32_t off, uint32_t value, uint32_t mask);
bool emu_flash_store(struct emu *e, uint32_t addr, uint32_t size, uint64_t value);

/* store.c */
bool emu_store_open(struct emu *e, const char *path, int keep_id, char *error, size_t error_size);
void emu_store_close(struct emu *e);

/* uart.c */
void emu_uart_reset(struct emu *e, int index);
uint32_t emu_uart_reg_read(struct emu *e, int index, uint32_t off);
void emu_uart_reg_write(struct emu *e, int index, uint32_t off, uint32_t value, uint32_t mask);
void emu_uart_rx_event(struct emu *e, int index);
void emu_uart_tx_event(struct emu *e, int index);
void emu_uart_idle_event(struct emu *e, int index);
void emu_uart_power_off(struct emu *e);

/* bytes.c */
bool emu_bytes_push(struct bytes *b, const uint8_t *data, size_t len);
size_t emu_bytes_take(struct bytes *b, uint8_t *out, size_t room);
void emu_bytes_clear(struct bytes *b);

/* watchdog.c */
void emu_watchdog_reset(struct emu *e);
void emu_iwdg_event(struct emu *e);
void emu_iwdg_update_event(struct emu *e);
uint32_t emu_iwdg_read(struct emu *e, int index, uint32_t off);
void emu_iwdg_write(struct emu *e, int index, uint32_t off, uint32_t value, uint32_t mask);
void emu_iwdg_start(struct emu *e);
void emu_wwdg_event(struct emu *e);
uint32_t emu_wwdg_read(struct emu *e, int index, uint32_t off);
void emu_wwdg_write(struct emu *e, int index, uint32_t off, uint32_t value, uint32_t mask);
void emu_wwdg_rebase(struct emu *e);

/* gpio.c, exti.c */
void emu_gpio_reset(struct emu *e, int index);
void emu_gpio_refresh(struct emu *e, int port);
uint32_t emu_gpio_read(struct emu *e, int index, uint32_t off);
void emu_gpio_write(struct emu *e, int index, uint32_t off, uint32_t value, uint32_t mask);
bool emu_gpio_is_af(const struct emu *e, int port, int pin, uint32_t af);
void emu_exti_edge(struct emu *e, int port, int pin, bool rising);
uint32_t emu_exti_read(struct emu *e, int index, uint32_t off);
void emu_exti_write(struct emu *e, int index, uint32_t off, uint32_t value, uint32_t mask);
uint32_t emu_syscfg_read(struct emu *e, int index, uint32_t off);
void emu_syscfg_write(struct emu *e, int index, uint32_t off, uint32_t value, uint32_t mask);

/* backup.c */
void emu_backup_power_off(struct emu *e);
void emu_backup_domain_reset(struct emu *e);
uint32_t emu_rtc_read(struct emu *e, int index, uint32_t off);
void emu_rtc_write(struct emu *e, int index, uint32_t off, uint32_t value, uint32_t mask);
uint32_t emu_pwr_read(struct emu *e, int index, uint32_t off);
void emu_pwr_write(struct emu *e, int index, uint32_t off, uint32_t value, uint32_t mask);
uint32_t emu_backup_sram_read(struct emu *e, int index, uint32_t off);
void emu_backup_sram_write(struct emu *e, int index, uint32_t off, uint32_t value, uint32_t mask);

/* rng.c, crc.c */
void emu_rng_event(struct emu *e);
uint32_t emu_rng_read(struct emu *e, int index, uint32_t off);
void emu_rng_write(struct emu *e, int index, uint32_t off, uint32_t value, uint32_t mask);
uint32_t emu_crc_read(struct emu *e, int index, uint32_t off);
void emu_crc_write(struct emu *e, int index, uint32_t off, uint32_t value, uint32_t mask);
#endif
