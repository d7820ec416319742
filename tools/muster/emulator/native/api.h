/* SPDX-License-Identifier: Apache-2.0 */
/* What Python sees of the native part. It is read by the C compiler and, without the lines that begin
 * with '#', by cffi: only plain declarations here. Times are virtual, in picoseconds since the device
 * was created. UARTs are numbered 1 to 6, GPIO ports 0 (A) to 8 (I). */
#ifndef MUSTER_EMU_API_H
#define MUSTER_EMU_API_H
#include <stdint.h>
#include <stddef.h>

struct emu;
struct emu_snapshot;

/* Why emu_run() came back. */
enum emu_reason {
    EMU_TIME = 0,      /* the asked time has passed */
    EMU_STOPPED = 1,   /* emu_stop() was called from a callback */
    EMU_POWER_CUT = 2, /* an armed power cut struck; the device is off */
    EMU_OFF = 3,       /* the device was off already */
    EMU_LOCKUP = 4,    /* the time has passed, and the CPU is locked up */
    EMU_INTERNAL = 5,  /* Unicorn failed in a way no program can cause */
};

enum emu_cut_mode { EMU_CUT_CLEAN = 0, EMU_CUT_TORN = 1 };

enum emu_cause { EMU_POWER_ON = 0, EMU_PIN = 1, EMU_SOFTWARE = 2, EMU_IWDG = 3, EMU_WWDG = 4, EMU_CAUSES = 5 };

/* What a board would not do, or not do reliably, and the program asked for. */
enum emu_violation_kind {
    EMU_FLASH_LATENCY = 0, /* a: wait states set, b: HCLK in Hz */
    EMU_HCLK_RANGE = 1,    /* a: HCLK in Hz */
    EMU_APB1_RANGE = 2,    /* a: PCLK1 in Hz */
    EMU_APB2_RANGE = 3,    /* a: PCLK2 in Hz */
    EMU_PLL_RANGE = 4,     /* a: VCO input in Hz, b: VCO output in Hz */
    EMU_UART_PIN = 5,      /* a: UART number; it sent a byte, and no pin carries its TX */
    EMU_UART_OVERWRITE = 6 /* a: UART number; DR was written while TXE was 0, a byte is lost */
};

struct emu_config {
    uint8_t unique_id[12];
    uint64_t seed;
    uint32_t hse_hz;      /* 0: no crystal, HSERDY never comes */
    uint8_t lse;          /* a 32.768 kHz crystal is fitted */
    uint8_t battery;      /* VBAT survives a power cut */
};

struct emu_counters {
    uint64_t resets[5];             /* by enum emu_cause */
    uint64_t boots;                 /* times the CPU started from its reset vector */
    uint64_t erases, programs;      /* flash operations begun since creation; option bytes count as an erase */
    uint64_t erases_since_power_on, programs_since_power_on;
    uint64_t instructions;
    uint64_t cuts;
    uint64_t faults;                /* fault exceptions taken, lockups included */
    uint64_t overruns;              /* bytes lost because RXNE was still set */
    uint64_t violations;
};

struct emu_fault {
    uint64_t time_ps;
    uint32_t exception;  /* 3 HardFault, 4 MemManage, 5 BusFault, 6 UsageFault */
    uint32_t lockup;     /* 1: the fault could not be taken, the CPU stopped */
    uint32_t cfsr, hfsr, mmfar, bfar;
    uint32_t regs[17];   /* r0-r12, sp, lr, pc, xpsr as they were when the fault arose */
    uint32_t stack[16];  /* words from sp upwards */
    uint32_t stack_words;/* how many of them lie in RAM */
};

struct emu_violation {
    uint64_t time_ps;
    uint32_t kind, a, b;
};

struct emu *emu_create(const char *store_path, const struct emu_config *config, int keep_id, char *error, size_t error_size);
void emu_destroy(struct emu *e);
void emu_unique_id(struct emu *e, uint8_t *id);
void emu_power_on(struct emu *e);
void emu_power_off(struct emu *e);
void emu_reset_pin(struct emu *e);
int emu_is_powered(struct emu *e);
int emu_run(struct emu *e, uint64_t until_ps);
void emu_stop(struct emu *e);
uint64_t emu_time(struct emu *e);
const char *emu_error(struct emu *e);
void emu_get_counters(struct emu *e, struct emu_counters *out);
size_t emu_get_faults(struct emu *e, struct emu_fault *out, size_t room);
size_t emu_get_violations(struct emu *e, struct emu_violation *out, size_t room);
void emu_get_registers(struct emu *e, uint32_t *regs);
uint32_t emu_hclk_hz(struct emu *e);

void emu_cut_at_operation(struct emu *e, uint64_t operations_from_now, int mode);
void emu_cut_at_time(struct emu *e, uint64_t time_ps);
void emu_cut_now(struct emu *e);

int emu_memory_read(struct emu *e, uint32_t addr, uint8_t *out, uint32_t len);
int emu_memory_write(struct emu *e, uint32_t addr, const uint8_t *data, uint32_t len);

void emu_uart_send(struct emu *e, int uart, const uint8_t *data, size_t len);
size_t emu_uart_pending(struct emu *e, int uart);
size_t emu_uart_read(struct emu *e, int uart, uint8_t *out, size_t room);
void emu_uart_set_baud(struct emu *e, int uart, uint32_t baud);
void emu_uart_watch(struct emu *e, int uart, int on);
void emu_set_uart_callback(struct emu *e, void (*fn)(void *ctx, int uart, uint8_t byte, uint64_t time_ps), void *ctx);

int emu_pin_level(struct emu *e, int port, int pin);
void emu_pin_drive(struct emu *e, int port, int pin, int level);
void emu_pin_watch(struct emu *e, int port, int pin, int on);
void emu_set_pin_callback(struct emu *e, void (*fn)(void *ctx, int port, int pin, int level, uint64_t time_ps), void *ctx);

struct emu_snapshot *emu_snapshot_take(struct emu *e);
int emu_snapshot_restore(struct emu *e, const struct emu_snapshot *snapshot);
void emu_snapshot_free(struct emu_snapshot *snapshot);
#endif
